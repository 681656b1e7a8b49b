// Package tebra is the client of Tebra's (formerly Kareo's) SOAP API 2.1: the schedule, patients, the directory.
//
//	client.Appointments.List(…)  ┐
//	client.Patients.Get(…)       ├─▶ call ─▶ Gate.Enter ─▶ HTTP ─▶ reader ─▶ classify ─▶ Pass.Done ─▶ Observe
//	client.Directory.Providers(…)┘     ▲          │ refused            bounded    one switch
//	                                   └──────────┴── only what was not sent, within 2 s
//
// # What holds
//
//   - One door. Every request leaves through (*Client).call. A method has nothing else to send with, so it cannot forget
//     the gate, the deadline, the bounds or the observation. A new operation is a row in methods.go, its types, a method.
//   - No flow control of its own. When and whether is the Gate's to say, before every attempt. A refusal passes through
//     untouched and knows when to come back.
//   - Nothing is repeated that the vendor may have seen. Writes have no idempotency key over there; and for reads, the
//     caller knows better than this package whether the answer is still worth a call.
//   - An answer is this operation's answer or none. Envelope, namespaces and root are compared; document types, depth,
//     size and overlong values are refused; a list without its container is not an empty list.
//   - Errors say what, never about whom. The vendor's messages quote names, identifiers and stack traces: they are read by
//     classify and dropped. Fields about people are phi.Text, which masks itself wherever it is printed.
//
// # What the vendor does
//
// Business errors, throttling included, come inside HTTP 200; faults inside HTTP 500. Members out of the schema's order are
// dropped without a word. Almost everything is a string; absent means none. An empty list is one row without an ID. Lists
// stop at 10,000 rows (Appointments.Partial). Dates are US style and carry no zone; dates.go says how they are read.
package tebra
