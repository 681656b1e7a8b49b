// Package cli is the operators' command line, a file per noun. [Run] runs one command.
//
// # Contract with scripts
//
// Results go to stdout, messages to stderr. With --json, stdout contains exactly one JSON document
// in every case: the result, or {"error": {...}}. A failed check prints its report, and the exit
// code shows the failure. Field names are stable. Times are RFC 3339 in UTC, except where the local
// time matters.
//
// Exit codes are defined in exit.go, which also writes "rounds help exit-codes". An error consists
// of what failed, a stable code, what it means and what to try, both as text and in JSON. Results
// have no colors; NO_COLOR affects only log lines.
//
// # Never printed
//
// Passwords and keys are never printed, except new ones, once. Patients' names are printed only
// with --reveal. Identifiers of people appear as refs.
package cli
