// Package tebratest simulates the vendor's SOAP service. Server is an http.Handler with accounts,
// practices and a synthetic population. It behaves like the vendor, including the vendor's quirks.
// Serve it on a listener, or call it directly through Transport, which also works inside a
// testing/synctest bubble.
//
// contract.txt is the vendor's contract as data. The simulator uses it to read requests (forward
// only and by namespace, as .NET does), to write responses (in order, with absent, nil or zero
// members as in the schema) and to generate ?wsdl and ?singleWsdl, so any SOAP stack can be a
// client. The client package shares none of this code, so that a mistake on one side shows up as a
// failure on the other.
//
// The simulator also imitates the security part of every response; throttling per account and
// operation by arrival time, reported with HTTP 200; rows of strings with US dates, and one
// placeholder row in an empty list; the default date window, failing ranges of more than 60 days,
// and the limit of 10,000 rows; and updates that clear the members they leave out. It is stateful:
// API and staff read what either of them wrote. Where the vendor's behavior is unknown, the
// simulator picks one and a comment states it.
//
// All data about people is generated from a seed and short lists of invented words. The same seed
// produces the same people and days, regardless of when and in what order they are requested. There
// are two clocks: Config.Now timestamps changes and determines the current day, and a demo may
// speed it up; throttles and latency use real time.
//
// Tests and demos act as the practice's staff through Clinic (SetStatus, Move, Book, …; Play
// performs a whole reference day). They inject faults through Faults, whose Rules select calls by
// operation, count and rate, and switch on oddities, which Oddities describes. Other processes
// control the same settings under /control/. That API has no authentication and must be bound to a
// loopback address.
package tebratest
