// Command bench measures Rounds, beside peers where there are any, and compares the figures with
// their floors.
//
//	go run -C bench . NAME [--json] [flags of the bench]
//
// A bench is a package under internal with a function Run, and a row of the table in run.go. It
// checks what it measures: a reader that returns nothing would be the fastest. Peers run in the
// same invocation. Where a figure is short and varies, they run in the same process, in alternating
// pairs. A bench that needs a whole installation starts its processes with internal/process: each is
// this program in another role. The module is separate, so that the peers' dependencies do
// not raise the versions of the product's.
//
// The exit codes are those of rounds: 0 if every row reaches its floor, 7 if one does not, 1 if the
// bench failed, 2 for wrong usage, 8 after 15 minutes, and 130 after an interrupt. "go run" prints
// the code and exits with 1 itself; "go build" makes a program whose code a script can read.
package main
