//! Between plans of one ready-made set: the logins that are there already get what the new plan gives.

use super::{Admin, Stage};
use crate::moves::{NEAR, bound, catalog, gone, moved};
use crate::server::Server;

#[test]
fn logins_get_the_connections_of_the_plan_that_their_instance_moves_to() {
    let sets = ["database", "read-only"];
    // What is read, of the set that reads.
    let catalog = catalog("mysql", "MY_ADMIN", &sets).replace(
        "statements: mysql/read-only }",
        "statements: mysql/read-only, with: { database: lib_rary } }",
    );
    let server = Server::start(&[]);
    server.sql("CREATE DATABASE lib_rary");
    let stage = Stage::with(server, Admin::Plain, &catalog);
    let broker = &stage.broker;
    let limit = |name: &str| {
        let question = format!("SELECT max_user_connections FROM mysql.user WHERE user = '{name}'");
        stage.server.sql(&question)
    };
    for set in sets {
        let logins = ["b", "c"].map(|binding| bound(broker, set, "one", binding));
        let others =
            [("two", "b"), (NEAR, "b")].map(|(id, binding)| bound(broker, set, id, binding));
        moved(broker, set, "one");
        for login in &logins {
            assert_eq!(limit(login.text("username")), "7", "{set}");
            assert_eq!(stage.says(login, "SELECT 1"), Ok("1".to_owned()), "{set}");
        }
        for login in &others {
            assert_eq!(limit(login.text("username")), "1", "{set}");
        }
        for (instance, plan) in [("one", "large"), ("two", "small"), (NEAR, "small")] {
            gone(broker, set, instance, plan);
        }
        assert_eq!(stage.notes(), "0", "{set}");
    }
}
