// Package rounds is the root of a system that keeps a medical practice's Tebra
// data fresh in Redis, and carries changes back to Tebra, with a queue of
// background work in between. It holds no code, only the rules of the house:
// arch_test.go says who may import whom, and why.
//
// Programs that enqueue work import tasks; programs that speak to the vendor
// themselves import integrations/tebra. Everything else is internal.
package rounds
