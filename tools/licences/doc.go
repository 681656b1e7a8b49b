// Command licences compares the licences of all dependencies with
// docs/licences.txt, and refuses one that allowed.txt does not name.
//
//	licences [-update]
//
// Dependencies are the Go modules that programs, public packages and tests
// link, and the npm packages of the lock files. Tools that only look at the
// code, like linters, are none of them.
package main
