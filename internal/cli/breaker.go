package cli

import (
	"cmp"
	"context"
	"fmt"
	"io"
	"time"

	"github.com/spf13/cobra"

	"github.com/workflow-bolt/rounds/integrations/tebra"
	"github.com/workflow-bolt/rounds/internal/alarm"
	"github.com/workflow-bolt/rounds/internal/breaker"
	"github.com/workflow-bolt/rounds/internal/config"
	"github.com/workflow-bolt/rounds/internal/flow"
	"github.com/workflow-bolt/rounds/internal/ledger"
	"github.com/workflow-bolt/rounds/internal/tenant"
)

func newBreaker(e *env) *cobra.Command {
	return e.group("breaker", "Show the breakers of vendor calls, and open or close them", newBreakerList(e), newBreakerShow(e),
		newBreakerOpen(e), newBreakerClose(e), newBreakerRelease(e))
}

func newBreakerList(e *env) *cobra.Command {
	var owner string
	cmd := &cobra.Command{
		Use:   "list",
		Short: "List the breakers that are not closed, and the host's",
		Long: `List the vendor host's breaker, and those of tenants that are not closed or that an operator keeps closed: what opened each,
since when, when its next probe is due, and whom it delays.`,
		Example: "  rounds breaker list\n  rounds breaker list --tenant clinic-a --json",
		Args:    names(),
		RunE: func(cmd *cobra.Command, _ []string) error {
			if owner != "" {
				if _, err := parseTenant(owner); err != nil {
					return err
				}
			}
			return e.withStores(cmd.Context(), config.NeedQueue|config.NeedLedger, func(s *stores) error {
				return e.listBreakers(cmd.Context(), s, owner)
			})
		},
	}
	e.tenantFlag(cmd, &owner, "only this tenant's and the host's")
	return cmd
}

// breakersDoc is the result of breaker list.
type breakersDoc struct {
	At       time.Time    `json:"at"`
	Breakers []breakerDoc `json:"breakers"`
}

// breakerDoc is the state of one breaker.
type breakerDoc struct {
	Scope    string     `json:"scope"`            // host, credential or an operation
	Tenant   tenant.ID  `json:"tenant,omitempty"` // absent for the host
	State    string     `json:"state"`            // closed, open, probing or ramp
	Since    time.Time  `json:"since,omitzero"`   // of the first opening in a row, or of the closing
	Probe    time.Time  `json:"probe_at,omitzero"`
	Opens    int        `json:"openings"` // in a row
	Reason   string     `json:"reason,omitempty"`
	Evidence string     `json:"evidence,omitempty"`
	Delays   string     `json:"delays,omitempty"` // whom it delays; absent while it is closed
	Next     string     `json:"next,omitempty"`   // what ends its state
	Forced   *forcedDoc `json:"forced,omitempty"`
}

// forcedDoc is an operator's decision that holds.
type forcedDoc struct {
	Open   bool      `json:"open"`
	By     string    `json:"by"`
	Reason string    `json:"reason"`
	At     time.Time `json:"at"`
	Until  time.Time `json:"until"`
}

func readBreaker(s breaker.State) breakerDoc {
	d := breakerDoc{
		Scope: s.Scope, Tenant: s.Tenant, State: string(s.Condition), Since: s.Since.UTC(), Opens: s.Opens, Reason: s.Reason, Evidence: s.Evidence,
	}
	if s.Condition == breaker.Open && (s.Forced == nil || !s.Forced.Open) {
		d.Probe = s.Until.UTC()
	}
	if s.Condition != breaker.Closed {
		d.Next = alarm.BreakerNext(s.Scope, s.Condition)
	}
	if s.Condition == breaker.Open || s.Condition == breaker.Probing {
		d.Delays = delayed(s.Name)
	}
	if f := s.Forced; f != nil {
		d.Forced = &forcedDoc{Open: f.Open, By: f.By, Reason: f.Why, At: f.At.UTC(), Until: f.Until.UTC()}
		d.Next = "an operator's decision holds until " + f.Until.UTC().Format(time.RFC3339) + "; to end it, run rounds breaker release"
	}
	return d
}

// delayed names those that a breaker delays.
func delayed(n breaker.Name) string {
	switch n.Scope {
	case breaker.Host:
		return "all calls of all tenants"
	case breaker.Credential:
		return "all calls of " + n.Tenant.String()
	}
	return fmt.Sprintf("calls of %s of %s", n.Scope, n.Tenant)
}

func (e *env) listBreakers(ctx context.Context, s *stores, owner string) error {
	ids, err := s.tenants(ctx, owner)
	if err != nil {
		return err
	}
	f, err := flow.New(flow.Options{Redis: s.queue})
	if err != nil {
		return err
	}
	found, err := f.States(ctx, ids...)
	if err != nil {
		return err
	}
	doc := breakersDoc{At: time.Now().UTC(), Breakers: make([]breakerDoc, 0, len(found))}
	for _, b := range found {
		doc.Breakers = append(doc.Breakers, readBreaker(b))
	}
	return e.answer(doc, doc.write)
}

func (d breakersDoc) write(w io.Writer) {
	table(w, []string{"TENANT", "SCOPE", "STATE", "SINCE", "PROBE", "OPENINGS", "CAUSE", "DELAYS", "OPERATOR"}, d.Breakers,
		func(b breakerDoc) []string {
			by := "-"
			if b.Forced != nil {
				by = b.Forced.By + " until " + b.Forced.Until.Format(time.RFC3339)
			}
			return []string{
				cmp.Or(b.Tenant.String(), "-"), b.Scope, b.State, age(b.Since, d.At), relative(b.Probe, d.At), fmt.Sprint(b.Opens), cmp.Or(b.Reason, "-"),
				cmp.Or(b.Delays, "-"), by,
			}
		})
	for _, b := range d.Breakers {
		if b.Evidence != "" && b.State != string(breaker.Closed) {
			_, _ = fmt.Fprintf(w, "%s: %s\n", breaker.Name{Tenant: b.Tenant, Scope: b.Scope}, b.Evidence)
		}
	}
}

// breakerOf checks the names of a breaker.
func (s *stores) breakerOf(ctx context.Context, scope, owner string) (breaker.Name, error) {
	n := breaker.Name{Scope: scope}
	switch {
	case scope == breaker.Host && owner != "":
		return n, usage("the host's breaker belongs to no tenant: leave out --tenant")
	case scope == breaker.Host:
		return n, nil
	case owner == "":
		return n, usage("--tenant is missing: only the scope host belongs to no tenant")
	}
	if scope != breaker.Credential {
		if _, err := findOperation(scope); err != nil {
			f := usage("unknown scope")
			f.Found = []string{"a scope is host, credential, or an operation of the vendor, such as GetPatient"}
			f.Try = []string{"rounds breaker list"}
			return n, f
		}
	}
	t, err := findTenant(ctx, s.ledger, owner)
	n.Tenant = t.ID
	return n, err
}

// completeScope completes the argument that names the scope of a breaker.
func completeScope(_ *cobra.Command, args []string, _ string) ([]string, cobra.ShellCompDirective) {
	if len(args) > 0 {
		return nil, cobra.ShellCompDirectiveNoFileComp
	}
	scopes := []string{breaker.Host, breaker.Credential}
	for _, op := range tebra.Operations() {
		scopes = append(scopes, op.Name)
	}
	return scopes, cobra.ShellCompDirectiveNoFileComp
}

func newBreakerShow(e *env) *cobra.Command {
	var owner string
	cmd := &cobra.Command{
		Use:   "show SCOPE",
		Short: "Show one breaker, and what operators have decided about it",
		Long: `Show one breaker: its state, what opened it, whom it delays, what ends its state, and the latest decisions of operators. SCOPE
is host, credential, or an operation of the vendor; the last two need --tenant.`,
		Example:           "  rounds breaker show host\n  rounds breaker show GetPatient --tenant clinic-a --json",
		Args:              names("SCOPE"),
		ValidArgsFunction: completeScope,
		RunE: func(cmd *cobra.Command, args []string) error {
			return e.withStores(cmd.Context(), config.NeedQueue|config.NeedLedger, func(s *stores) error {
				return e.showBreaker(cmd.Context(), s, args[0], owner)
			})
		},
	}
	e.tenantFlag(cmd, &owner, "the breaker's tenant")
	return cmd
}

// breakerShowDoc is the result of breaker show.
type breakerShowDoc struct {
	At      time.Time   `json:"at"`
	Breaker breakerDoc  `json:"breaker"`
	Actions []actionDoc `json:"decisions"` // the latest first
}

// actionDoc is a recorded decision.
type actionDoc struct {
	At     time.Time `json:"at"`
	By     string    `json:"by"`
	Action string    `json:"action"`
	Reason string    `json:"reason"`
	Until  time.Time `json:"until,omitzero"`
}

// maxActions is how many decisions are shown.
const maxActions = 10

func (e *env) showBreaker(ctx context.Context, s *stores, scope, owner string) error {
	n, err := s.breakerOf(ctx, scope, owner)
	if err != nil {
		return err
	}
	f, err := flow.New(flow.Options{Redis: s.queue})
	if err != nil {
		return err
	}
	found, err := f.Inspect(ctx, n)
	if err != nil {
		return err
	}
	actions, err := s.ledger.Actions(ctx, n.Tenant, n.Scope, maxActions)
	if err != nil {
		return err
	}
	doc := breakerShowDoc{At: time.Now().UTC(), Breaker: readBreaker(found[0]), Actions: actionsDoc(actions)}
	return e.answer(doc, doc.write)
}

func actionsDoc(all []ledger.Action) []actionDoc {
	out := make([]actionDoc, 0, len(all))
	for _, a := range all {
		out = append(out, actionDoc{At: a.At, By: a.Operator, Action: a.Action, Reason: a.Reason, Until: a.Until})
	}
	return out
}

func (d breakerShowDoc) write(w io.Writer) {
	breakersDoc{At: d.At, Breakers: []breakerDoc{d.Breaker}}.write(w)
	if d.Breaker.Next != "" {
		_, _ = fmt.Fprintln(w, "next:", d.Breaker.Next)
	}
	for _, a := range d.Actions {
		_, _ = fmt.Fprintf(w, "%s %s by %s: %s\n", a.At.Format(time.RFC3339), a.Action, a.By, a.Reason)
	}
}
