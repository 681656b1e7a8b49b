// Package config turns a process's environment into the settings it runs with.
//
// Each process has one function: [LoadWorker], [LoadScheduler], [LoadGateway]. It reads every variable through the getenv
// it is given, checks all of them and the files they name, and returns either settings that can be used as they stand or
// an [*Error] that lists every problem at once. A problem names its variable, says what is wrong and how to put it right,
// and never repeats a value that might be secret.
//
// Without ROUNDS_ENV=dev the rules of production hold: secrets only by reference, no SQLite, two Redis servers reached
// over TLS or a local socket, https to the vendor, and no secret file that everybody may read.
//
// The package knows shapes, not meanings: it does not open Redis, parse the keyset or connect to the ledger.
package config
