// Package cli is the operators' program: one file per noun, one [Run] for all of it.
//
// # What a script may rely on
//
// Data goes to stdout, talk to stderr. With --json, stdout holds exactly one JSON document, whatever happens: the
// answer, or {"error": {...}} when there is none. The document of a check that failed is its report; the exit code says
// that it failed. Field names are stable and times are RFC 3339 in UTC unless a zone is the point.
//
// Exit codes are in exit.go, which also writes "rounds help exit-codes". An error says what failed, a stable code, what
// that means and what to try, in text and JSON alike. Nothing here is coloured, so NO_COLOR has nothing to turn off.
//
// # What is never printed
//
// A patient's name, unless --reveal asks for it; a password or key, ever. Identifiers of people are shown as refs.
package cli
