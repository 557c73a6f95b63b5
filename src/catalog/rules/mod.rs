pub(crate) fn run(_: &super::draft::Draft<'_>, _: &mut crate::document::Findings) {}
