// Package config reads a process's configuration from its environment.
//
// Each program has one function: [LoadWorker], [LoadScheduler], [LoadGateway], [LoadMonitor]. It
// reads every variable through the getenv it is given and checks them all, with the files they
// name. It returns either a usable configuration or an [*Error] that lists every problem at once. A
// problem names its variable, what is wrong and how to fix it, and never repeats a value that may
// be secret.
//
// Production rules apply unless ROUNDS_ENV=dev: secrets by reference only, no SQLite, two Redis
// servers over TLS or a local socket, https to the vendor, and no secret file that all users can
// read.
//
// The package checks the form of values. It does not open Redis, parse the keyset or connect to the
// ledger.
package config
