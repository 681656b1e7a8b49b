package gateway

import (
	"bytes"
	"fmt"
	"math"
	"net/http"
	"strings"
	"testing"
	"unicode/utf16"

	"github.com/workflow-bolt/rounds/internal/codes"
)

// marker is part of inputs whose values a faulty response or log could repeat.
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
	code codes.Code
} {
	type row = struct {
		body string
		code codes.Code
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
		"empty":                         {"", codes.MalformedBody},
		"blank":                         {" \n", codes.MalformedBody},
		"null":                          {"null", codes.MalformedBody},
		"an array":                      {"[]", codes.MalformedBody},
		"a string":                      {`"` + marker + `"`, codes.MalformedBody},
		"unclosed":                      {`{"kind":"schedule.sync","args":{"practice":"` + marker, codes.MalformedBody},
		"two documents":                 {goodDemand + goodDemand, codes.MalformedBody},
		"garbage after it":              {goodDemand + marker, codes.MalformedBody},
		"UTF-16":                        {wide.String(), codes.MalformedBody},
		"a byte-order mark":             {bom + goodDemand, codes.MalformedBody},
		"invalid UTF-8":                 {args("schedule.sync", "{\"practice\":\"7\xff\",\"from\":\"2026-03-02\",\"to\":\"2026-03-02\"}"), codes.MalformedBody},
		"a NUL in an id":                {appointment(`"9\u00001"`), codes.InvalidArguments},
		"deep nesting":                  {args("schedule.sync", strings.Repeat("[", 20_000)+strings.Repeat("]", 20_000)), codes.MalformedBody},
		"5,000 members":                 {"{" + members.String() + `"kind":"schedule.sync"}`, codes.MalformedBody},
		"a member twice":                {`{"kind":"schedule.sync",` + goodDemand[1:], codes.MalformedBody},
		"an argument twice":             {args("directory.sync", `{"practice":"7","practice":"8"}`), codes.MalformedBody},
		"a member in capitals":          {strings.Replace(goodDemand, "kind", "Kind", 1), codes.MalformedBody},
		"an argument in capitals":       {args("directory.sync", `{"Practice":"7"}`), codes.InvalidArguments},
		"an unknown member":             {withMember(`"` + marker + `":1`), codes.MalformedBody},
		"an unknown argument":           {args("directory.sync", `{"practice":"7","`+marker+`":1}`), codes.InvalidArguments},
		"no kind":                       {`{"args":{"practice":"7"}}`, codes.UnknownKind},
		"no arguments":                  {`{"kind":"directory.sync"}`, codes.InvalidArguments},
		"null arguments":                {args("directory.sync", "null"), codes.InvalidArguments},
		"no practice":                   {args("directory.sync", `{}`), codes.InvalidArguments},
		"no from":                       {args("schedule.sync", `{"practice":"7","to":"2026-03-02"}`), codes.InvalidArguments},
		"no to":                         {args("schedule.sync", `{"practice":"7","from":"2026-03-02"}`), codes.InvalidArguments},
		"no patient":                    {args("patient.sync", `{"practice":"7"}`), codes.InvalidArguments},
		"no noun":                       {args("entity.invalidate", `{"practice":"7","id":"1"}`), codes.InvalidArguments},
		"a number for a string":         {args("directory.sync", `{"practice":7}`), codes.InvalidArguments},
		"a string for a flag":           {withMember(`"interactive":"true"`), codes.MalformedBody},
		"a number for the kind":         {`{"kind":7,"args":{}}`, codes.MalformedBody},
		"a string for the arguments":    {args("directory.sync", `"7"`), codes.InvalidArguments},
		"1e400":                         {args("directory.sync", `{"practice":1e400}`), codes.InvalidArguments},
		"NaN":                           {args("directory.sync", `{"practice":NaN}`), codes.MalformedBody},
		"negative zero":                 {appointment(`-0`), codes.InvalidArguments},
		"2^53+1 as a number":            {appointment(`9007199254740993`), codes.InvalidArguments},
		"id 0":                          {appointment(`"0"`), codes.InvalidArguments},
		"id -1":                         {appointment(`"-1"`), codes.InvalidArguments},
		"id 2^63":                       {appointment(`"9223372036854775808"`), codes.InvalidArguments},
		"an unknown kind":               {args(marker, `{}`), codes.UnknownKind},
		"a known kind with a suffix":    {args("schedule.sync.now", `{}`), codes.UnknownKind},
		"an internal kind":              {args("throttles.sync", `{"practice":"7"}`), codes.UnknownKind},
		"a tenant":                      {withMember(`"tenant":"clinic-b"`), codes.MalformedBody},
		"another tenant's practice":     {args("directory.sync", `{"practice":"9"}`), codes.NotFound},
		"an unknown noun":               {args("entity.invalidate", `{"practice":"7","noun":"`+marker+`","id":"1"}`), codes.InvalidArguments},
		"a noun in capitals":            {args("entity.invalidate", `{"practice":"7","noun":"Appointment","id":"1"}`), codes.InvalidArguments},
		"a noun with a space":           {args("entity.invalidate", `{"practice":"7","noun":"appointment ","id":"1"}`), codes.InvalidArguments},
		"a noun with a Cyrillic letter": {args("entity.invalidate", `{"practice":"7","noun":"аppointment","id":"1"}`), codes.InvalidArguments},
		"an unknown view":               {args("view.warm", `{"view":"`+marker+`","practice":"7","date":"2026-03-02"}`), codes.InvalidArguments},
		"an id with a colon":            {appointment(`"1:2"`), codes.InvalidArguments},
		"an id with a brace":            {appointment(`"{1}"`), codes.InvalidArguments},
		"an id with a star":             {appointment(`"*"`), codes.InvalidArguments},
		"an id with a newline":          {appointment(`"1\n2"`), codes.InvalidArguments},
		"a practice with a bracket":     {args("directory.sync", `{"practice":"7["}`), codes.InvalidArguments},
		"an id of 10 kB":                {appointment(`"` + strings.Repeat("9", 10_000) + `"`), codes.InvalidArguments},
		"an empty id":                   {appointment(`""`), codes.InvalidArguments},
		"an id of spaces":               {appointment(`"   "`), codes.InvalidArguments},
		"a queue":                       {withMember(`"queue":"interactive"`), codes.MalformedBody},
		"a lane":                        {withMember(`"lane":"push"`), codes.MalformedBody},
		"a priority":                    {withMember(`"priority":9`), codes.MalformedBody},
		"the year 9999":                 {withMember(`"at":"9999-12-31T23:59:59Z"`), codes.InvalidTime},
		"the year 1969":                 {withMember(`"at":"1969-12-31T23:59:59Z"`), codes.InvalidTime},
		"the zero time":                 {withMember(`"at":"0001-01-01T00:00:00Z"`), codes.InvalidTime},
		"a time without a zone":         {withMember(`"at":"2026-03-02T18:00:00"`), codes.MalformedBody},
		"a negative delay":              {withMember(`"delay":-1`), codes.MalformedBody},
		"a delay of 10^18":              {withMember(`"delay":1000000000000000000`), codes.MalformedBody},
		"a timeout of 500 ms":           {withMember(`"timeout":"500ms"`), codes.MalformedBody},
		"a zero timeout":                {withMember(`"timeout":0`), codes.MalformedBody},
		"a batch":                       {"[" + strings.Repeat(goodDemand+",", 500) + goodDemand + "]", codes.MalformedBody},
		"an impossible day":             {args("schedule.sync", `{"practice":"7","from":"2026-02-30","to":"2026-03-02"}`), codes.InvalidArguments},
		"days in reverse order":         {args("schedule.sync", `{"practice":"7","from":"2026-03-02","to":"2026-03-01"}`), codes.InvalidArguments},
		"too many days":                 {args("schedule.sync", `{"practice":"7","from":"1900-01-01","to":"2199-12-31"}`), codes.InvalidArguments},
		"a provider for the day board":  {args("view.warm", `{"view":"day-board","practice":"7","date":"2026-03-02","provider":"3"}`), codes.InvalidArguments},
		"a flag twice, once null":       {withMember(`"interactive":null,"interactive":true`), codes.MalformedBody},
	}
}

// checkUnaffected checks that no task was enqueued, that the log repeats nothing of an input, and
// that the gateway still accepts a good demand.
func (b *bundle) checkUnaffected() {
	b.t.Helper()
	if n, err := b.depth(); err != nil || n != 0 {
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
		if got := first.code(t); got != c.code {
			t.Errorf("%s: %s, want %s (%s)", name, got, c.code, first.body)
		}
		again := b.post("/v1/tasks", c.body, "Content-Type", "application/json")
		if again.StatusCode != first.StatusCode || !bytes.Equal(again.body, first.body) {
			t.Errorf("%s: the second response differs: %s", name, again.body)
		}
		if bytes.Contains(first.body, []byte(marker)) || len(first.body) > 500 {
			t.Errorf("%s: the response repeats the input: %s", name, first.body)
		}
	}
	b.checkUnaffected()
}
