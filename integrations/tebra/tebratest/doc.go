// Package tebratest is a simulator of the vendor's SOAP service: an http.Handler that holds accounts, practices and a
// synthetic population, and answers as the vendor does, its oddities included. Serve it over a listener, or call it
// directly through Transport, which also works inside a testing/synctest bubble.
//
// What it imitates: the forward-only reading of request members, by namespace; the security part in every answer;
// throttles per account and operation, refused inside HTTP 200; rows of strings with US dates, absent when empty, and one
// placeholder row for an empty list; the default date window, ranges over 60 days that fail, the cap of 10,000 rows.
//
// Everything about people is drawn from a seed and short lists of invented words. The same seed gives the same people and
// the same days, whenever and in whatever order they are asked for. Two clocks: Config.Now stamps changes and says what
// day it is, and a demo may speed it up; throttles and latency run in real time.
//
// Tests and demos play the practice's own staff through Clinic (SetStatus, Move, Book, …) and break the vendor through
// Faults. The same switches are under /control/ for other processes; that surface asks for no password and belongs on a
// loopback address.
package tebratest
