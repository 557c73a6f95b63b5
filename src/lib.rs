//! catalog-broker: a service broker that is configured, not programmed.
//!
//! The map of the house, from the edge inwards: [`cli`] reads the command line and hands over to [`app`], where the
//! parts are put together. [`settings`] say how the broker runs, [`catalog`] what is offered; both read YAML through
//! [`document`]. [`http`] speaks the Open Service Broker API to platforms, [`console`] shows pages to operators, as [`access`] lets them in. [`domain`] is what a
//! broker is; [`store`], [`backend`] and [`telemetry`] are behind its doors. [`template`], [`supervisor`],
//! [`postgres`], [`mysql`], [`password`], [`authorities`] and [`secret`] are leaves.

pub mod cli;

pub mod app;

pub mod settings;

pub mod catalog;

pub mod document;

pub mod template;

pub mod http;

pub mod console;

pub mod access;

pub mod domain;

pub mod backend;

pub mod supervisor;

pub mod store;

pub mod postgres;

pub mod mysql;

pub mod telemetry;

pub mod password;

pub mod authorities;

pub mod secret;
