//! One module per property.

// by step
mod air_cases;
mod exchange_cases;
mod source_cases;
mod stage_failures;

// by law
mod every_packet_once;
mod never_silent;
mod one_timeline;
mod restart;

// by promise
mod again;
mod bounded;
mod broken_stages;
mod command_line;
mod disk_full;
mod documented;
mod fuzzed;
mod dry_run;
mod graphql_clients;
mod observed;
mod kill_server;
mod log_subscribers;
mod noisy_neighbour;
mod observed;
mod preview;
mod rest;
mod tokens;
mod webhooks;
mod rest;
mod tokens;
mod tokens;
mod webhooks;
mod walls;
mod two_tenants;
