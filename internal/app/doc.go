// Package app puts the processes together. Each constructor reads top to bottom: what is made first is closed last, and
// a constructor that fails half-way has closed what it made.
//
// Nothing is decided here that belongs to a package below; what is here is order: which part gets which, what is checked
// before work begins, and the pipeline that every task runs through.
package app

import _ "time/tzdata" // practices have zones, and a container without a zone database must know them
