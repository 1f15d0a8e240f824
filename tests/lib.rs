//! The one test binary: a file per protocol against real servers and hostile peers, then profiles, reports and the program.

mod support;

mod both;
mod both_sides;
mod cli;
mod control;
mod diagnosis;
mod engine;
mod house_rules;
mod http;
mod profiles;
mod program;
mod proxy;
mod reach;
mod reports;
mod resolve;
mod safety;
mod smb;
mod sql;
mod sql_browser;
mod tcp;
mod tftp;
mod tls;
mod trial;
mod websocket;
mod witness;
