// Command counts prints figures about the size and shape of the code, of an earlier commit beside
// those of the working tree.
//
//	counts REVISION
package main
