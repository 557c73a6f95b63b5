-- The plan that an update in progress makes an instance have: it counts there already where that plan has limits.
ALTER TABLE operations ADD COLUMN moves_to TEXT;
