// Package tebra is a client of Tebra's (formerly Kareo's) SOAP API 2.1. It reads and writes the
// schedule and patients, and reads practices, providers, service locations and procedure codes.
//
//	Appointments.List(…)   ┐
//	Patients.Rows(…)       ├─▶ Gate.Enter ─▶ HTTP ─▶ reader ─▶ classify ─▶ Pass.Done ─▶ Observe
//	Directory.Providers(…) ┘       ▲           │
//	                               └───────────┴── retries within 2 s, only if nothing was sent
//
// # Guarantees
//
//   - All requests go through one function. Methods have no other way to send a request, so every
//     request passes the gate, has a deadline and size limits, and is observed. A new operation
//     needs a row in methods.go, its types and a method.
//   - The client has no flow control of its own. It asks the Gate before every attempt and returns
//     the Gate's refusals unchanged. A refusal states when to try again.
//   - The client never repeats a request that the vendor may have seen. The vendor offers no
//     idempotency keys for writes, and for reads the caller is in a better position to decide
//     whether the response is still worth a call.
//   - The client accepts a response only if it belongs to the operation called. It checks the
//     envelope, the namespaces and the root element. It rejects document type declarations and
//     responses that are nested too deeply, are too large or contain values that are too long. A
//     missing list element is an error, not an empty list. Unknown members are skipped, whatever
//     they contain.
//   - Only SOAP speaks for the vendor. HTML, JSON, redirects and bare statuses are from something
//     in between: Unavailable, and no evidence about the login.
//   - A response is refused as a whole only if its envelope is broken. A character that XML does
//     not allow is replaced by U+FFFD. A value that cannot be read costs its field, which the
//     record's Unread names. A row whose identifier or start cannot be read, and one that contains
//     a column twice or text between its members, is in the list's SetAside; so are texts and other
//     elements between the rows. Observations count all of them.
//   - A truncated list is always marked. Lists at the vendor's limit have Partial set, iterators
//     end with ErrPartial, and Windows asks again for shorter ranges.
//   - An empty response counts as empty only if the vendor states that there was no error. A
//     response without IsError and without a row that has an identifier is Malformed, and a row
//     that has data but no identifier is set aside. If they were accepted, records would appear to
//     have been deleted.
//   - Errors describe what happened and never identify a patient. Vendor messages quote names,
//     identifiers and stack traces, so the client classifies them and drops the text. Fields about
//     people have the type phi.Text, which masks itself when printed.
//
// # The vendor's contract
//
// This section is sufficient to write another client. Its sources are the vendor's WSDL of June
// 2025, its API guide of April 2025, and reports by other integrators. Where the sources contradict
// each other, the text names the option that selects one of them.
//
// Transport. The API is SOAP 1.1, document/literal, as written by .NET's DataContractSerializer. It
// has one address (DefaultEndpoint) and no sandbox. Requests are POST with Content-Type "text/xml;
// charset=utf-8" and SOAPAction "http://www.kareo.com/api/schemas/KareoServices/OPERATION". The
// body contains OPERATION, which contains request (UpdatePatientReq for UpdatePatient), which
// contains RequestHeader with CustomerKey, Password and User, followed by the operation's own
// members. GetCustomerIdFromKey has no header: its request contains the three credentials directly.
//
// Namespaces. Two namespaces differ only in a trailing slash. Everything is in
// http://www.kareo.com/api/schemas/ except the own members of GetServiceLocations and
// GetProcedureCodes, whose namespace lacks the slash. The items of plain arrays are in .NET
// namespaces: ResourceIds contains long of
// http://schemas.microsoft.com/2003/10/Serialization/Arrays, and DayOfWeek contains DayOfWeek of
// http://schemas.datacontract.org/2004/07/System. Identifiers are named ID in rows, AppointmentId
// and PracticeId in typed records, PatientID in patient writes, and patientID in the batch of
// external identifiers.
//
// Order. The vendor reads members forward only, in the alphabetical order of its schema (capitals
// first, members of base types first). A member that is out of order, misspelled or in the wrong
// namespace is silently dropped; a fault is returned only if a required member is skipped. A
// filtered read requires Fields, which is left empty to request all columns: if any field is true,
// the vendor may return a single empty row. It also requires Filter, even an empty one: without it
// some operations return a null reference error.
//
// Responses. OPERATIONResponse contains OPERATIONResult, which contains ErrorResponse
// (ErrorMessage, IsError, StackTrace), SecurityResponse and then the records. In SecurityResponse
// only Authenticated, Authorized and CustomerKeyValid count; SecurityResultSuccess means the
// opposite in responses of what it means in the guide. Business errors are returned with HTTP 200,
// throttling included ("429: … requested more than allowed over time interval 1000 milliseconds").
// Faults are returned with HTTP 500: InternalServiceFault may be an outage or a bad request, and
// DeserializationFailed and ActionNotSupported are requests that the vendor cannot read.
// GetCustomerIdFromKey returns neither ErrorResponse nor SecurityResponse, only IsAuthorized and
// CustomerId, which is -1, for example, if the request has the wrong shape. Texts of .NET and SQL
// Server report trouble at the vendor (see trouble.go), and may come with a security part that was
// never filled.
//
// Characters. Responses are UTF-8. WCF writes control characters as references such as &#xB;, which
// XML 1.0 does not allow.
//
// Values. Members of rows are strings and are absent if null. An empty list is one row without an
// ID. Dates are M/d/yyyy h:mm:ss AM/PM without a zone, and the year 1 means none. datetext.go lists
// the other forms that are read. The comment in dates.go states the zone rule; Options.Zones
// selects whether TimeZoneOffsetFromGMT is sent in the filter of GetAppointments. Typed members
// occur in single appointments and in writes: times are ISO 8601 in UTC, numbers are plain, and 0
// or nil means none. The year 9999 is assumed to mean never. The bounds of a range are named From
// and To, or Start and End. Both are inclusive, except that ToDateOfBirth is exclusive.
//
// Limits. Lists are cut at 10,000 rows, and ranges of more than 60 days fail. GetAllPatients pages
// by StartKey until Key/nextStartKey is absent or 0; keys are assumed to be ascending. A mobile
// phone number has at most 10 digits, and external identifiers are cut at 25 characters. Throttles
// count per account and operation (Operations returns the intervals), and a call after exactly one
// interval is still too early. Calls take seconds.
//
// Writes. Creation has no key that would identify a repeated request. UpdateAppointment replaces
// the whole record, and members that are not sent are lost, so start from AppointmentDetail.Update.
// UpdatePatient apparently leaves members that are not sent unchanged; that nil clears a member is
// assumed. A successful response does not prove that a write took effect, and a missing response
// does not prove that it failed, so read the record afterwards.
//
// Operations marks as Assumed what is in no published contract.
package tebra
