// Package tebratest is a simulator of the vendor's SOAP service: an http.Handler that holds accounts, practices and a
// synthetic population, and answers as the vendor does, its oddities included. Serve it over a listener, or call it
// directly through Transport, which also works inside a testing/synctest bubble.
//
// contract.txt is the vendor's contract as data. By it requests are read (forward only, by namespace, as .NET does), answers
// are written (in order; absent, nil or zero as the schema has it), and ?wsdl and ?singleWsdl say what is spoken, so that any SOAP
// stack can be a client. The client package shares nothing of it: a mistake on one side shows on the other.
//
// What it imitates besides: the security part in every answer; throttles per account and operation by arrival time, refused
// inside HTTP 200; rows of strings with US dates, and one placeholder row for an empty list; the default date window, ranges
// over 60 days that fail, the cap of 10,000 rows; updates that clobber what they leave out. It is stateful: what is written is
// read, by the API and by the staff. What nobody outside of the vendor knows, it does in one way and says so where it does.
//
// Everything about people is drawn from a seed and short lists of invented words. The same seed gives the same people and
// the same days, whenever and in whatever order they are asked for. Two clocks: Config.Now stamps changes and says what
// day it is, and a demo may speed it up; throttles and latency run in real time.
//
// Tests and demos play the practice's own staff through Clinic (SetStatus, Move, Book, …; Play is a whole reference day) and
// break the vendor through Faults, whose Rules strike by operation, count and rate. The same switches are under /control/
// for other processes; that surface asks for no password and belongs on a loopback address.
package tebratest
