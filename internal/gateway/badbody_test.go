package gateway

import (
	"bytes"
	"fmt"
	"math"
	"net/http"
	"strings"
	"testing"
	"unicode/utf16"

	"github.com/workflow-bolt/rounds/internal/queue"
)

// marker is part of inputs whose values a faulty answer or log could repeat.
const marker = "Zqx7Marker"

// goodDemand is a demand that the gateway accepts.
const goodDemand = `{"kind":"schedule.sync","args":{"practice":"7","from":"2026-03-02","to":"2026-03-02"}}`

// args returns a demand of a kind.
func args(kind, args string) string { return `{"kind":"` + kind + `","args":` + args + `}` }

// withMember returns goodDemand with one more member.
func withMember(member string) string {
	return strings.TrimSuffix(goodDemand, "}") + "," + member + "}"
}

func appointment(id string) string {
	return args("entity.invalidate", `{"practice":"7","noun":"appointment","id":`+id+`}`)
}

// badBodies returns bodies of POST /v1/tasks, each with the code of its refusal.
func badBodies() map[string]struct {
	body string
	code code
} {
	type row = struct {
		body string
		code code
	}
	bom := "\xef\xbb\xbf"
	var wide bytes.Buffer
	for _, u := range utf16.Encode([]rune(goodDemand)) {
		wide.Write([]byte{byte(u), byte(u >> 8)})
	}
	var members strings.Builder
	for i := range 5000 {
		fmt.Fprintf(&members, `"m%d":1,`, i)
	}
	return map[string]row{
		"empty":                         {"", codeBody},
		"blank":                         {" \n", codeBody},
		"null":                          {"null", codeBody},
		"an array":                      {"[]", codeBody},
		"a string":                      {`"` + marker + `"`, codeBody},
		"unclosed":                      {`{"kind":"schedule.sync","args":{"practice":"` + marker, codeBody},
		"two documents":                 {goodDemand + goodDemand, codeBody},
		"garbage after it":              {goodDemand + marker, codeBody},
		"UTF-16":                        {wide.String(), codeBody},
		"a byte-order mark":             {bom + goodDemand, codeBody},
		"invalid UTF-8":                 {args("schedule.sync", "{\"practice\":\"7\xff\",\"from\":\"2026-03-02\",\"to\":\"2026-03-02\"}"), codeBody},
		"a NUL in an id":                {appointment(`"9\u00001"`), codeArguments},
		"deep nesting":                  {args("schedule.sync", strings.Repeat("[", 20_000)+strings.Repeat("]", 20_000)), codeBody},
		"5,000 members":                 {"{" + members.String() + `"kind":"schedule.sync"}`, codeBody},
		"a member twice":                {`{"kind":"schedule.sync",` + goodDemand[1:], codeBody},
		"an argument twice":             {args("directory.sync", `{"practice":"7","practice":"8"}`), codeBody},
		"a member in capitals":          {strings.Replace(goodDemand, "kind", "Kind", 1), codeBody},
		"an argument in capitals":       {args("directory.sync", `{"Practice":"7"}`), codeArguments},
		"an unknown member":             {withMember(`"` + marker + `":1`), codeBody},
		"an unknown argument":           {args("directory.sync", `{"practice":"7","`+marker+`":1}`), codeArguments},
		"no kind":                       {`{"args":{"practice":"7"}}`, codeKind},
		"no arguments":                  {`{"kind":"directory.sync"}`, codeArguments},
		"null arguments":                {args("directory.sync", "null"), codeArguments},
		"no practice":                   {args("directory.sync", `{}`), codeArguments},
		"no from":                       {args("schedule.sync", `{"practice":"7","to":"2026-03-02"}`), codeArguments},
		"no to":                         {args("schedule.sync", `{"practice":"7","from":"2026-03-02"}`), codeArguments},
		"no patient":                    {args("patient.sync", `{"practice":"7"}`), codeArguments},
		"no noun":                       {args("entity.invalidate", `{"practice":"7","id":"1"}`), codeArguments},
		"a number for a string":         {args("directory.sync", `{"practice":7}`), codeArguments},
		"a string for a flag":           {withMember(`"interactive":"true"`), codeBody},
		"a number for the kind":         {`{"kind":7,"args":{}}`, codeBody},
		"a string for the arguments":    {args("directory.sync", `"7"`), codeArguments},
		"1e400":                         {args("directory.sync", `{"practice":1e400}`), codeArguments},
		"NaN":                           {args("directory.sync", `{"practice":NaN}`), codeBody},
		"negative zero":                 {appointment(`-0`), codeArguments},
		"2^53+1 as a number":            {appointment(`9007199254740993`), codeArguments},
		"id 0":                          {appointment(`"0"`), codeArguments},
		"id -1":                         {appointment(`"-1"`), codeArguments},
		"id 2^63":                       {appointment(`"9223372036854775808"`), codeArguments},
		"an unknown kind":               {args(marker, `{}`), codeKind},
		"a known kind with a suffix":    {args("schedule.sync.now", `{}`), codeKind},
		"an internal kind":              {args("throttles.sync", `{"practice":"7"}`), codeKind},
		"a tenant":                      {withMember(`"tenant":"clinic-b"`), codeBody},
		"another tenant's practice":     {args("directory.sync", `{"practice":"9"}`), codeNotFound},
		"an unknown noun":               {args("entity.invalidate", `{"practice":"7","noun":"`+marker+`","id":"1"}`), codeArguments},
		"a noun in capitals":            {args("entity.invalidate", `{"practice":"7","noun":"Appointment","id":"1"}`), codeArguments},
		"a noun with a space":           {args("entity.invalidate", `{"practice":"7","noun":"appointment ","id":"1"}`), codeArguments},
		"a noun with a Cyrillic letter": {args("entity.invalidate", `{"practice":"7","noun":"аppointment","id":"1"}`), codeArguments},
		"an unknown view":               {args("view.warm", `{"view":"`+marker+`","practice":"7","date":"2026-03-02"}`), codeArguments},
		"an id with a colon":            {appointment(`"1:2"`), codeArguments},
		"an id with a brace":            {appointment(`"{1}"`), codeArguments},
		"an id with a star":             {appointment(`"*"`), codeArguments},
		"an id with a newline":          {appointment(`"1\n2"`), codeArguments},
		"a practice with a bracket":     {args("directory.sync", `{"practice":"7["}`), codeArguments},
		"an id of 10 kB":                {appointment(`"` + strings.Repeat("9", 10_000) + `"`), codeArguments},
		"an empty id":                   {appointment(`""`), codeArguments},
		"an id of spaces":               {appointment(`"   "`), codeArguments},
		"a queue":                       {withMember(`"queue":"interactive"`), codeBody},
		"a lane":                        {withMember(`"lane":"push"`), codeBody},
		"a priority":                    {withMember(`"priority":9`), codeBody},
		"the year 9999":                 {withMember(`"at":"9999-12-31T23:59:59Z"`), codeTime},
		"the year 1969":                 {withMember(`"at":"1969-12-31T23:59:59Z"`), codeTime},
		"the zero time":                 {withMember(`"at":"0001-01-01T00:00:00Z"`), codeTime},
		"a time without a zone":         {withMember(`"at":"2026-03-02T18:00:00"`), codeBody},
		"a negative delay":              {withMember(`"delay":-1`), codeBody},
		"a delay of 10^18":              {withMember(`"delay":1000000000000000000`), codeBody},
		"a timeout of 500 ms":           {withMember(`"timeout":"500ms"`), codeBody},
		"a zero timeout":                {withMember(`"timeout":0`), codeBody},
		"a batch":                       {"[" + strings.Repeat(goodDemand+",", 500) + goodDemand + "]", codeBody},
		"an impossible day":             {args("schedule.sync", `{"practice":"7","from":"2026-02-30","to":"2026-03-02"}`), codeArguments},
		"days in reverse order":         {args("schedule.sync", `{"practice":"7","from":"2026-03-02","to":"2026-03-01"}`), codeArguments},
		"too many days":                 {args("schedule.sync", `{"practice":"7","from":"1900-01-01","to":"2199-12-31"}`), codeArguments},
		"a provider for the day board":  {args("view.warm", `{"view":"day-board","practice":"7","date":"2026-03-02","provider":"3"}`), codeArguments},
		"a flag twice, once null":       {withMember(`"interactive":null,"interactive":true`), codeBody},
	}
}

// checkUnaffected checks that no task was enqueued, that the log repeats nothing of an input, and that
// the gateway still accepts a good demand.
func (b *bundle) checkUnaffected() {
	b.t.Helper()
	if n, err := queue.Depth(b.t.Context(), b.queue); err != nil || n != 0 {
		b.t.Errorf("refused demands enqueued %d tasks (%v)", n, err)
	}
	if strings.Contains(b.log.String(), marker) {
		b.t.Errorf("the log repeats an input: %s", b.log)
	}
	if r := b.post("/v1/tasks", goodDemand); r.StatusCode != http.StatusAccepted {
		b.t.Errorf("a good demand afterwards: %d %s", r.StatusCode, r.body)
	}
}

// unlimited raises the limits on requests beyond what tests reach.
func unlimited(o *Options) {
	o.Limits.Rate, o.Limits.Burst, o.Limits.Concurrent, o.Limits.Unauthenticated = math.MaxInt32, math.MaxInt32, 2000, math.MaxInt32
}

func TestBadBodies(t *testing.T) {
	t.Parallel()
	b := setup(t, unlimited)
	for name, c := range badBodies() {
		first := b.post("/v1/tasks", c.body, "Content-Type", "application/json")
		if got := first.code(t); got != string(c.code) {
			t.Errorf("%s: %s, want %s (%s)", name, got, c.code, first.body)
		}
		again := b.post("/v1/tasks", c.body, "Content-Type", "application/json")
		if again.StatusCode != first.StatusCode || !bytes.Equal(again.body, first.body) {
			t.Errorf("%s: the second answer differs: %s", name, again.body)
		}
		if bytes.Contains(first.body, []byte(marker)) || len(first.body) > 500 {
			t.Errorf("%s: the answer repeats the input: %s", name, first.body)
		}
	}
	b.checkUnaffected()
}
