package tebratest

import (
	"bytes"
	"encoding/xml"
	"errors"
	"maps"
	"mime"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"
)

const (
	nsArrays     = "http://schemas.microsoft.com/2003/10/Serialization/Arrays"
	nsDispatcher = "http://schemas.microsoft.com/net/2005/12/windowscommunicationfoundation/dispatcher"
	nsAddressing = "http://schemas.microsoft.com/ws/2005/05/addressing/none"

	textInternal = "The server was unable to process the request due to an internal error."
	textFormat   = "The formatter threw an exception while trying to deserialize the message: There was an error while " +
		"trying to deserialize parameter http://www.kareo.com/api/schemas/:request. The InnerException message was '"
)

// record is one row: its members with a value. Members are written in ordinal order, which is the schema's.
type record map[string]any // string, or list

type list struct {
	item string
	rows []record
}

// result is what an operation answers.
type result struct {
	problem string // ErrorMessage of a business error; "" is success
	stack   string // StackTrace beside it
	payload func(*output)
}

func failed(message string) result { return result{problem: message} }

// output writes XML.
type output struct{ bytes.Buffer }

func (o *output) put(parts ...string) {
	for _, p := range parts {
		o.WriteString(p)
	}
}

func (o *output) element(name, value string) {
	o.put("<", name, ">")
	_ = xml.EscapeText(&o.Buffer, []byte(value)) // a bytes.Buffer never fails
	o.put("</", name, ">")
}

// optional writes a member of the types that say nil where rows leave out.
func (o *output) optional(name, value string) {
	if value == "" {
		o.put("<", name, ` i:nil="true"/>`)
		return
	}
	o.element(name, value)
}

func (o *output) record(name string, r record) {
	if len(r) == 0 {
		o.put("<", name, "/>")
		return
	}
	o.put("<", name, ">")
	for _, key := range slices.Sorted(maps.Keys(r)) {
		switch v := r[key].(type) {
		case string:
			if v != "" {
				o.element(key, v)
			}
		case list:
			o.list(key, v)
		}
	}
	o.put("</", name, ">")
}

// list writes the rows, or the placeholder that stands for none.
func (o *output) list(name string, l list) {
	o.put("<", name, ">")
	for _, r := range l.rows {
		o.record(l.item, r)
	}
	if len(l.rows) == 0 {
		o.record(l.item, nil)
	}
	o.put("</", name, ">")
}

// verdict is the SecurityResponse: what the vendor thinks of the caller.
type verdict struct {
	account       *account // nil when the customer key is unknown
	authenticated bool
}

func (v verdict) write(o *output) {
	o.put("<SecurityResponse>")
	o.element("Authenticated", strconv.FormatBool(v.authenticated))
	o.element("Authorized", strconv.FormatBool(v.authenticated))
	id := 0
	if v.account != nil {
		id = v.account.id
	}
	o.element("CustomerId", strconv.Itoa(id))
	o.element("CustomerKeyValid", strconv.FormatBool(v.account != nil))
	o.put(`<PermissionsMissing i:nil="true"/>`)
	if v.authenticated {
		o.put(`<PracticesAuthorized><PracticeID xmlns:a="`, nsArrays, `">`)
		for _, c := range v.account.clinics {
			o.element("a:int", strconv.Itoa(c.practice.ID))
		}
		o.put("</PracticeID></PracticesAuthorized>")
	} else {
		o.put(`<PracticesAuthorized i:nil="true"/>`)
	}
	o.put(`<SecurityResult i:nil="true"/>`)
	o.element("SecurityResultSuccess", strconv.FormatBool(v.authenticated))
	o.put("</SecurityResponse>")
}

func answerXML(op string, v verdict, res result) []byte {
	var o output
	o.put(`<s:Envelope xmlns:s="`, nsSOAP, `"><s:Body><`, op, `Response xmlns="`, nsKareo, `"><`, op,
		`Result xmlns:i="`, nsXSI, `"><ErrorResponse>`)
	o.optional("ErrorMessage", res.problem)
	o.element("IsError", strconv.FormatBool(res.problem != ""))
	o.optional("StackTrace", res.stack)
	o.put("</ErrorResponse>")
	v.write(&o)
	if res.problem == "" {
		res.payload(&o)
	}
	o.put("</", op, "Result></", op, "Response></s:Body></s:Envelope>")
	return o.Bytes()
}

func faultXML(ns, code, text string) []byte {
	var o output
	o.put(`<s:Envelope xmlns:s="`, nsSOAP, `"><s:Body><s:Fault><faultcode xmlns:a="`, ns, `">a:`, code, "</faultcode>")
	o.put(`<faultstring xml:lang="en-US">`)
	_ = xml.EscapeText(&o.Buffer, []byte(text))
	o.put("</faultstring></s:Fault></s:Body></s:Envelope>")
	return o.Bytes()
}

// exchange is one call on its way through the simulator.
type exchange struct {
	w       http.ResponseWriter
	r       *http.Request
	arrived time.Time
	op      string
	who     verdict
}

// serveSOAP takes a call from arrival to answer; the log gets its line whatever happens.
func (s *Server) serveSOAP(w http.ResponseWriter, r *http.Request) {
	x := &exchange{w: w, r: r, arrived: time.Now()}
	outcome := OutcomeAborted
	defer func() { s.log.add(x, outcome) }()
	media, _, _ := mime.ParseMediaType(r.Header.Get("Content-Type"))
	if media != "text/xml" {
		outcome = OutcomeFault
		w.WriteHeader(http.StatusUnsupportedMediaType)
		return
	}
	action := strings.Trim(r.Header.Get("SOAPAction"), `"`)
	x.op = strings.TrimPrefix(action, nsKareo+"KareoServices/")
	spec, known := operations[x.op]
	if !known || x.op == action {
		x.op = "" // a stranger's word has no place in counts
		outcome = x.fault(nsAddressing, "ActionNotSupported", "The message with Action '"+action+"' cannot be processed at "+
			"the receiver, due to a ContractFilter mismatch at the EndpointDispatcher.")
		return
	}
	request, err := readRequest(r, x.op, spec)
	if err != nil {
		if bad, ok := errors.AsType[deserializeError](err); ok {
			outcome = x.fault(nsDispatcher, "DeserializationFailed", textFormat+string(bad)+"'.")
		} else {
			outcome = x.fault(nsDispatcher, "InternalServiceFault", textInternal)
		}
		return
	}
	outcome = s.answer(x, spec, request)
}

// readRequest finds the operation's parameter and binds its members.
func readRequest(r *http.Request, op string, spec operation) (message, error) {
	root, err := parse(r.Body)
	if err != nil || root.name != (xml.Name{Space: nsSOAP, Local: "Envelope"}) {
		return nil, errors.New("no envelope")
	}
	for _, path := range []xml.Name{{Space: nsSOAP, Local: "Body"}, {Space: nsKareo, Local: op}, {Space: nsKareo, Local: "request"}} {
		i := slices.IndexFunc(root.children, func(n *node) bool { return n.name == path })
		if i < 0 {
			return nil, errors.New("no parameter") // a null reference over there
		}
		root = root.children[i]
	}
	return bind(root, spec.fields)
}

// answer is the vendor's order of things: outage, credentials, throttle, work.
func (s *Server) answer(x *exchange, spec operation, request message) Outcome {
	faults := s.Faults()
	if outcome, done := x.brokenBy(faults); done {
		return outcome
	}
	header, _ := request.object("RequestHeader")
	x.who = s.authenticate(header)
	switch {
	case x.who.account == nil:
		return x.reply(failed("Invalid customer key"), OutcomeUnauthenticated)
	case !x.who.authenticated:
		return x.reply(failed("Invalid user name and/or password"), OutcomeUnauthenticated)
	}
	if interval, refused := s.throttle.refuse(x.who.account.id, x.op, x.arrived); refused {
		return x.reply(failed(throttleText(x.op, interval)), OutcomeThrottled)
	}
	if !s.delay(x.r.Context()) {
		return OutcomeAborted
	}
	s.mu.Lock()
	res, err := spec.run(s, x.who.account, request)
	s.mu.Unlock()
	if err != nil {
		return x.fault(nsDispatcher, "InternalServiceFault", textInternal)
	}
	if faults.CutBody && faults.affects(x.op) {
		return x.cut(answerXML(x.op, x.who, res))
	}
	if res.problem != "" {
		return x.reply(res, OutcomeRejected)
	}
	return x.reply(res, OutcomeOK)
}

func (s *Server) authenticate(header message) verdict {
	for _, a := range s.accounts {
		if a.CustomerKey == header.text("CustomerKey") {
			return verdict{account: a, authenticated: a.User == header.text("User") && a.Password == header.text("Password")}
		}
	}
	return verdict{}
}

func (x *exchange) send(status int, body []byte) {
	x.w.Header().Set("Content-Type", "text/xml; charset=utf-8")
	x.w.Header().Set("Content-Length", strconv.Itoa(len(body)))
	x.w.WriteHeader(status)
	_, _ = x.w.Write(body) // a caller who left has no use for an error
}

func (x *exchange) reply(res result, outcome Outcome) Outcome {
	x.send(http.StatusOK, answerXML(x.op, x.who, res))
	return outcome
}

func (x *exchange) fault(ns, code, text string) Outcome {
	x.send(http.StatusInternalServerError, faultXML(ns, code, text))
	return OutcomeFault
}
