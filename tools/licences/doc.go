// Command licences compares the licences of all dependencies with docs/licences.txt, and refuses
// one that allowed.txt does not name.
//
//	licences [-update]
//
// Dependencies are the Go modules that programs, public packages and tests link, and the npm
// packages of all lock files. Tools such as linters are not on the list: no program contains them.
package main
