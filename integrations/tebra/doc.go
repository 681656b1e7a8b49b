// Package tebra is the client of Tebra's (formerly Kareo's) SOAP API 2.1: the schedule, patients, the directory.
//
//	client.Appointments.List(…)  ┐
//	client.Patients.Rows(…)      ├─▶ call ─▶ Gate.Enter ─▶ HTTP ─▶ reader ─▶ classify ─▶ Pass.Done ─▶ Observe
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
//     size and overlong values are refused; a list without its container is not an empty list. Members that nobody knows are
//     passed over, whatever is in them.
//   - What was cut is never everything. A list at the vendor's cap says Partial, a stream of rows ends in ErrPartial, and
//     Windows asks again for less.
//   - Nothing is nothing only when the vendor says that all is well. An empty answer without its "no error", and a row of
//     somebody without an identifier, are Malformed: what they leave out would look deleted.
//   - Errors say what, never about whom. The vendor's messages quote names, identifiers and stack traces: they are read by
//     classify and dropped. Fields about people are phi.Text, which masks itself wherever it is printed.
//
// # The vendor's contract
//
// What follows is enough to write another client. It comes from the vendor's WSDL of June 2025, its API guide of April
// 2025, and what other integrators published; where they contradict each other, the switch is named.
//
// Transport. SOAP 1.1, document/literal, .NET's data contract serializer; one address (DefaultEndpoint), no sandbox. POST with
// Content-Type "text/xml; charset=utf-8" and SOAPAction "http://www.kareo.com/api/schemas/KareoServices/OPERATION". The body
// holds OPERATION, in it request (UpdatePatientReq for UpdatePatient), in it RequestHeader with CustomerKey, Password and User, then the
// operation's own members. GetCustomerIdFromKey has the three directly in request, and no header.
//
// Two namespaces differ by a slash. Everything is in http://www.kareo.com/api/schemas/, but for the own members of
// GetServiceLocations and GetProcedureCodes, which lack the slash. Items of plain arrays are in namespaces of .NET's:
// ResourceIds holds long of http://schemas.microsoft.com/2003/10/Serialization/Arrays, DayOfWeek holds DayOfWeek of
// http://schemas.datacontract.org/2004/07/System. Identifiers are ID in rows, AppointmentId and PracticeId in typed records,
// PatientID in patients' writes, patientID in the batch of external identifiers.
//
// Order. The vendor reads members forward only, in the alphabetical order of its schema (capitals first, base types first).
// A member out of order, misspelled or in the wrong namespace is dropped without a word; only when a required one is passed
// over there is a fault. A filtered read wants Fields, empty for all columns: any true one may answer a single empty row.
// It wants Filter even when it is empty: without it some operations answer a null reference.
//
// Answers. OPERATIONResponse holds OPERATIONResult: ErrorResponse (ErrorMessage, IsError, StackTrace), SecurityResponse
// (Authenticated, Authorized, CustomerKeyValid, which alone decide; SecurityResultSuccess means opposite things in guide and
// practice), then the records. Business errors, throttling included ("429: … requested more than allowed over time interval
// 1000 milliseconds"), come inside HTTP 200; faults inside HTTP 500: InternalServiceFault may be an outage or a bad request,
// DeserializationFailed and ActionNotSupported are requests that it cannot read. GetCustomerIdFromKey answers neither part but
// CustomerId, -1 for a request of another shape among others, and IsAuthorized.
//
// Rows are strings, absent when null; a list of nothing is one row without ID; dates are M/d/yyyy h:mm:ss AM/PM without a
// zone (dates.go has the rule, Options.Zones and TimeZoneOffsetFromGMT of GetAppointments' filter the switch), year 1 for none.
// Typed members, of single appointments and in writes, are ISO 8601 in UTC and numbers, with 0 or nil for none; the year
// 9999 is assumed to mean never. Bounds of a range come in pairs, From and To or Start and End; ToDateOfBirth alone is the first day that
// does not count any more.
//
// Bounds. Lists stop at 10,000 rows, ranges of more than 60 days fail, GetAllPatients pages by StartKey until Key/nextStartKey
// is absent or 0; that keys ascend is assumed. A mobile phone has at most 10 digits, and identifiers of others are cut at 25
// characters. Throttles count per account and operation (Operations has the intervals), and one exact interval is still too
// soon. Calls take seconds.
//
// Writes. Creating has no key by which a repetition could be known. UpdateAppointment writes the whole record, and what is left
// out is lost: begin with AppointmentDetail.Update. UpdatePatient leaves alone what is not sent, as far as anybody knows, and
// that nil empties is assumed. A success is no proof, and an answer that never came is no failure: read.
//
// Marked as Assumed in Operations is what no contract that we have read contains.
package tebra
