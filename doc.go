// Package rounds is the root of a system that keeps a medical practice's Tebra data fresh in Redis,
// with a queue of background work in between. The package contains no code, only tests of the
// module as a whole; arch_test.go checks the rules in arch_rules_test.go, which define the allowed
// imports and the reason for each rule.
//
// Programs that enqueue work import tasks. Programs that call the vendor directly import
// integrations/tebra. All other packages are internal.
package rounds
