//! What a broker is, before anybody speaks HTTP or SQL to it.
//!
//! In reading order: the words ([`id`], [`time`], [`version`], [`json`]), what is offered ([`offering`], [`catalog`],
//! [`schema`], [`answer`]), what platforms make of it ([`instance`], [`binding`], [`operation`]), who asks ([`caller`]),
//! what holds them back ([`limits`], [`guard`]), when bindings end ([`expiry`]), the doors to the world ([`store`], [`ledger`], [`backend`], [`witness`] with [`audit`]), and who stands at them: [`broker`] for
//! platforms (what may happen, in what order), [`worker`] for what takes time, [`desk`] for the operator.
//!
//! Deliberately absent: I/O, actix, SQL, figment, the clock and the environment. Time comes as an argument.

pub mod answer;
pub mod audit;
pub mod backend;
pub mod bells;
pub mod binding;
pub mod breaking;
pub mod broker;
pub mod caller;
pub mod catalog;
pub mod derive;
pub mod desk;
pub mod difference;
pub mod error;
pub mod expiry;
pub mod guard;
pub mod hands;
pub mod id;
pub mod instance;
pub mod json;
pub mod ledger;
pub mod lifecycle;
pub mod limits;
pub mod live;
pub mod names;
pub mod offering;
pub mod operation;
pub mod pool;
pub mod recent;
pub(crate) mod render;
pub mod respond;
pub mod schema;
pub mod scope;
pub mod store;
pub mod tally;
pub mod text;
pub mod time;
pub mod trace;
pub mod version;
pub mod witness;
pub mod worker;
