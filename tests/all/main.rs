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
mod seams;

// by promise
mod again;
mod alternatives;
mod attacks;
mod authored;
mod bounded;
mod broken_stages;
mod by_segment;
mod changed_on_air;
mod command_line;
mod components;
mod contract;
mod disk_full;
mod documented;
mod dry_run;
mod dry_run_agrees;
mod dry_run_field;
mod examples;
mod field;
mod from_wit;
mod fuzzed;
mod graphql_clients;
mod guide;
mod kill_server;
mod layers;
mod left_behind;
mod observed;
mod off_air;
mod other_codecs;
mod pages;
mod preview;
mod registries;
mod rest;
mod stage_policy;
mod standstill;
mod sts;
mod swaps;
mod tokens;
mod walls;
mod webhooks;
mod when_ended;

// what needs the machine to itself
mod alone;
