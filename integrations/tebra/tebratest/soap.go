package tebratest

import (
	"encoding/xml"
	"errors"
	"mime"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"
)

// exchange is one call being processed.
type exchange struct {
	w       http.ResponseWriter
	r       *http.Request
	arrived time.Time
	op      string
	method  *method
	auth    authResult
}

// serveSOAP processes one call. Every call is logged, whatever its outcome.
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
	x.method = contract.byName[x.op]
	if x.method == nil || x.op == action {
		x.op = "" // unknown names must not become keys of the counts
		outcome = x.fault(nsAddressing, "ActionNotSupported", "The message with Action '"+action+"' cannot be processed at "+
			"the receiver, due to a ContractFilter mismatch at the EndpointDispatcher.")
		return
	}
	request, err := readRequest(r, x.method)
	if err != nil {
		if bad, ok := errors.AsType[deserializeError](err); ok {
			outcome = x.fault(nsDispatcher, "DeserializationFailed", textFormat+string(bad)+"'.")
		} else {
			outcome = x.fault(nsDispatcher, "InternalServiceFault", textInternal)
		}
		return
	}
	outcome = s.respond(x, request)
}

// readRequest finds the operation's parameter and binds its members.
func readRequest(r *http.Request, m *method) (message, error) {
	root, err := parse(r.Body)
	if err != nil || root.name != (xml.Name{Space: nsSOAP, Local: "Envelope"}) {
		return nil, errors.New("no envelope")
	}
	for _, step := range []xml.Name{{Space: nsSOAP, Local: "Body"}, {Space: nsKareo, Local: m.name}, {Space: nsKareo, Local: m.parameter}} {
		i := slices.IndexFunc(root.children, func(n *node) bool { return n.name == step })
		if i < 0 || root.children[i].isNil {
			return nil, errors.New("no parameter") // the vendor reports a null reference
		}
		root = root.children[i]
	}
	return bind(root, m.in)
}

// handler executes one authenticated call.
type handler struct {
	*Server

	account *account
	in      message
	dryRun  bool // respond as if the change had been made, but do not make it
	foreign bool // add a row of another practice to lists
}

// respond follows the vendor's order: outage, credentials, throttle, operation.
func (s *Server) respond(x *exchange, request message) Outcome {
	rule := s.matchRule(x.op, x.credentials(request).text("CustomerKey"))
	if outcome, done := x.failEarly(rule); done {
		return outcome
	}
	if odd := s.oddCall(rule); odd.call != nil {
		return odd.call(x)
	}
	if outcome, done := s.reject(x, request); done {
		return outcome
	}
	if !s.delay(x.r.Context()) {
		return OutcomeAborted
	}
	if rule.Fault == FaultHangThenEffect {
		<-x.r.Context().Done()
		wait(rule.For)
	}
	body, outcome := s.execute(x, request, rule)
	switch {
	case outcome == OutcomeFault:
		return x.fault(nsDispatcher, "InternalServiceFault", textInternal)
	case rule.Fault == FaultEffectThenHang:
		<-x.r.Context().Done()
		return OutcomeHang
	case rule.Fault == FaultHangThenEffect:
		return OutcomeHang
	case rule.Fault == FaultCut:
		return x.sendTruncated(body)
	case rule.Fault != FaultTrickle:
		x.send(http.StatusOK, body)
	case !x.sendSlowly(body, rule.For):
		return OutcomeAborted
	}
	return outcome
}

// reject responds to a call with wrong credentials or one that is throttled. Operations without a
// header check the credentials themselves and are not throttled.
func (s *Server) reject(x *exchange, request message) (outcome Outcome, done bool) {
	x.auth = s.authenticate(x.credentials(request))
	switch {
	case !x.method.hasHeader():
		return "", false
	case x.auth.account == nil:
		return x.reply(businessError("Invalid customer key"), OutcomeUnauthenticated), true
	case !x.auth.authenticated:
		return x.reply(businessError("Invalid user name and/or password"), OutcomeUnauthenticated), true
	}
	arrived, interval, throttled := s.throttle.arrive(x.auth.account.id, x.op)
	if x.arrived = arrived; throttled {
		return x.reply(businessError(throttleText(x.op, interval)), OutcomeThrottled), true
	}
	return "", false
}

// credentials returns the part of a request that has the credentials.
func (x *exchange) credentials(request message) message {
	if !x.method.hasHeader() {
		return request
	}
	header, _ := request.object("RequestHeader")
	return header
}

// execute runs the operation and writes the response, both under the lock, because rows are read
// while they are written.
func (s *Server) execute(x *exchange, request message, rule Rule) ([]byte, Outcome) {
	s.mu.Lock()
	defer s.mu.Unlock()
	h := &handler{
		Server: s, account: x.auth.account, in: request,
		dryRun: rule.Fault == FaultSilentRefusal, foreign: rule.Fault == FaultForeignRows,
	}
	x.auth.practices = s.authorized(x.auth.account)
	if !x.method.hasHeader() && !x.auth.authenticated {
		return responseXML(x.method, x.auth, unknownCustomer), OutcomeUnauthenticated
	}
	if h.refuses() {
		return responseXML(x.method, x.auth, businessError("User is not authorized for Practice.")), OutcomeRejected
	}
	res, err := operations[x.op](h)
	if err != nil {
		return nil, OutcomeFault
	}
	outcome := OutcomeOK
	if res.errorMessage != "" {
		outcome = OutcomeRejected
	}
	return responseXML(x.method, x.auth, res), outcome
}

func (s *Server) authenticate(header message) authResult {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, a := range s.accounts {
		if a.CustomerKey == header.text("CustomerKey") {
			return authResult{
				account: a, authenticated: a.User == header.text("User") && a.Password == header.text("Password"), practices: s.authorized(a),
			}
		}
	}
	return authResult{}
}

func (x *exchange) send(status int, body []byte) {
	x.w.Header().Set("Content-Type", xmlType)
	x.w.Header().Set("Content-Length", strconv.Itoa(len(body)))
	x.w.WriteHeader(status)
	_, _ = x.w.Write(body) // an error means that the caller has gone
}

func (x *exchange) reply(res result, outcome Outcome) Outcome {
	x.send(http.StatusOK, responseXML(x.method, x.auth, res))
	return outcome
}

func (x *exchange) fault(ns, code, text string) Outcome {
	x.send(http.StatusInternalServerError, faultXML(ns, code, text))
	return OutcomeFault
}
