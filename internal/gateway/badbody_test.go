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

// marker stands in inputs where a value may be echoed by mistake.
const marker = "Zqx7Marker"

// goodDemand is one that is taken.
const goodDemand = `{"kind":"schedule.sync","args":{"practice":"7","from":"2026-03-02","to":"2026-03-02"}}`

// args is a demand of a kind.
func args(kind, args string) string { return `{"kind":"` + kind + `","args":` + args + `}` }

// withMember is goodDemand with one more member.
func withMember(member string) string {
	return strings.TrimSuffix(goodDemand, "}") + "," + member + "}"
}

func appointment(id string) string {
	return args("entity.invalidate", `{"practice":"7","noun":"appointment","id":`+id+`}`)
}

// badBodies are bodies of POST /v1/tasks with the code each is refused with.
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
		"1 empty":                       {"", codeBody},
		"1 blank":                       {" \n", codeBody},
		"2 null":                        {"null", codeBody},
		"3 an array":                    {"[]", codeBody},
		"4 a string":                    {`"` + marker + `"`, codeBody},
		"5 unclosed":                    {`{"kind":"schedule.sync","args":{"practice":"` + marker, codeBody},
		"6 two documents":               {goodDemand + goodDemand, codeBody},
		"7 garbage behind it":           {goodDemand + marker, codeBody},
		"13 UTF-16":                     {wide.String(), codeBody},
		"13 a byte order mark":          {bom + goodDemand, codeBody},
		"14 invalid UTF-8":              {args("schedule.sync", "{\"practice\":\"7\xff\",\"from\":\"2026-03-02\",\"to\":\"2026-03-02\"}"), codeBody},
		"15 a NUL in an id":             {appointment(`"9\u00001"`), codeArguments},
		"16 deep":                       {args("schedule.sync", strings.Repeat("[", 20_000)+strings.Repeat("]", 20_000)), codeBody},
		"17 5,000 members":              {"{" + members.String() + `"kind":"schedule.sync"}`, codeBody},
		"18 a member twice":             {`{"kind":"schedule.sync",` + goodDemand[1:], codeBody},
		"18 an argument twice":          {args("directory.sync", `{"practice":"7","practice":"8"}`), codeBody},
		"19 a member in capitals":       {strings.Replace(goodDemand, "kind", "Kind", 1), codeBody},
		"19 an argument in capitals":    {args("directory.sync", `{"Practice":"7"}`), codeArguments},
		"20 an unknown member":          {withMember(`"` + marker + `":1`), codeBody},
		"20 an unknown argument":        {args("directory.sync", `{"practice":"7","`+marker+`":1}`), codeArguments},
		"21 no kind":                    {`{"args":{"practice":"7"}}`, codeKind},
		"21 no arguments":               {`{"kind":"directory.sync"}`, codeArguments},
		"21 null for arguments":         {args("directory.sync", "null"), codeArguments},
		"21 no practice":                {args("directory.sync", `{}`), codeArguments},
		"21 no from":                    {args("schedule.sync", `{"practice":"7","to":"2026-03-02"}`), codeArguments},
		"21 no to":                      {args("schedule.sync", `{"practice":"7","from":"2026-03-02"}`), codeArguments},
		"21 no patient":                 {args("patient.sync", `{"practice":"7"}`), codeArguments},
		"21 no noun":                    {args("entity.invalidate", `{"practice":"7","id":"1"}`), codeArguments},
		"22 a number for a text":        {args("directory.sync", `{"practice":7}`), codeArguments},
		"22 a text for a flag":          {withMember(`"interactive":"true"`), codeBody},
		"22 a number for the kind":      {`{"kind":7,"args":{}}`, codeBody},
		"22 a text for the arguments":   {args("directory.sync", `"7"`), codeArguments},
		"23 1e400":                      {args("directory.sync", `{"practice":1e400}`), codeArguments},
		"23 NaN":                        {args("directory.sync", `{"practice":NaN}`), codeBody},
		"23 minus zero":                 {appointment(`-0`), codeArguments},
		"23 2^53+1 as a number":         {appointment(`9007199254740993`), codeArguments},
		"24 id 0":                       {appointment(`"0"`), codeArguments},
		"24 id -1":                      {appointment(`"-1"`), codeArguments},
		"24 id 2^63":                    {appointment(`"9223372036854775808"`), codeArguments},
		"25 an unknown kind":            {args(marker, `{}`), codeKind},
		"25 a kind that begins right":   {args("schedule.sync.now", `{}`), codeKind},
		"26 a kind for ourselves":       {args("throttles.sync", `{"practice":"7"}`), codeKind},
		"27 a tenant":                   {withMember(`"tenant":"clinic-b"`), codeBody},
		"27 another tenant's practice":  {args("directory.sync", `{"practice":"9"}`), codeNotFound},
		"28 an unknown noun":            {args("entity.invalidate", `{"practice":"7","noun":"`+marker+`","id":"1"}`), codeArguments},
		"28 a noun in capitals":         {args("entity.invalidate", `{"practice":"7","noun":"Appointment","id":"1"}`), codeArguments},
		"28 a noun with a space":        {args("entity.invalidate", `{"practice":"7","noun":"appointment ","id":"1"}`), codeArguments},
		"28 a noun of other letters":    {args("entity.invalidate", `{"practice":"7","noun":"аppointment","id":"1"}`), codeArguments},
		"28 an unknown view":            {args("view.warm", `{"view":"`+marker+`","practice":"7","date":"2026-03-02"}`), codeArguments},
		"31 an id with a colon":         {appointment(`"1:2"`), codeArguments},
		"31 an id with a brace":         {appointment(`"{1}"`), codeArguments},
		"31 an id with a star":          {appointment(`"*"`), codeArguments},
		"31 an id with a newline":       {appointment(`"1\n2"`), codeArguments},
		"31 a practice with a bracket":  {args("directory.sync", `{"practice":"7["}`), codeArguments},
		"32 an id of 10 kB":             {appointment(`"` + strings.Repeat("9", 10_000) + `"`), codeArguments},
		"32 an empty id":                {appointment(`""`), codeArguments},
		"32 an id of spaces":            {appointment(`"   "`), codeArguments},
		"33 a queue":                    {withMember(`"queue":"interactive"`), codeBody},
		"33 a lane":                     {withMember(`"lane":"push"`), codeBody},
		"33 a priority":                 {withMember(`"priority":9`), codeBody},
		"34 the year 9999":              {withMember(`"at":"9999-12-31T23:59:59Z"`), codeTime},
		"34 the year 1969":              {withMember(`"at":"1969-12-31T23:59:59Z"`), codeTime},
		"34 no time at all":             {withMember(`"at":"0001-01-01T00:00:00Z"`), codeTime},
		"34 a time without a zone":      {withMember(`"at":"2026-03-02T18:00:00"`), codeBody},
		"35 a delay below zero":         {withMember(`"delay":-1`), codeBody},
		"35 a delay of 10^18":           {withMember(`"delay":1000000000000000000`), codeBody},
		"36 a timeout of 500 ms":        {withMember(`"timeout":"500ms"`), codeBody},
		"36 a timeout of nothing":       {withMember(`"timeout":0`), codeBody},
		"38 a batch":                    {"[" + strings.Repeat(goodDemand+",", 500) + goodDemand + "]", codeBody},
		"a day that no calendar has":    {args("schedule.sync", `{"practice":"7","from":"2026-02-30","to":"2026-03-02"}`), codeArguments},
		"days that run backwards":       {args("schedule.sync", `{"practice":"7","from":"2026-03-02","to":"2026-03-01"}`), codeArguments},
		"days without end":              {args("schedule.sync", `{"practice":"7","from":"1900-01-01","to":"2199-12-31"}`), codeArguments},
		"a provider for the day board":  {args("view.warm", `{"view":"day-board","practice":"7","date":"2026-03-02","provider":"3"}`), codeArguments},
		"a flag that is neither of two": {withMember(`"interactive":null,"interactive":true`), codeBody},
	}
}

// checkUnaffected checks that nothing was enqueued, that nothing of an input is in the log, and that a good one is taken now.
func (b *bundle) checkUnaffected() {
	b.t.Helper()
	if n, err := queue.Depth(b.t.Context(), b.queue); err != nil || n != 0 {
		b.t.Errorf("%d tasks of what was refused (%v)", n, err)
	}
	if strings.Contains(b.log.String(), marker) {
		b.t.Errorf("the log repeats what came in: %s", b.log)
	}
	if r := b.post("/v1/tasks", goodDemand); r.StatusCode != http.StatusAccepted {
		b.t.Errorf("a good demand afterwards: %d %s", r.StatusCode, r.body)
	}
}

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
			t.Errorf("%s: another answer the second time: %s", name, again.body)
		}
		if bytes.Contains(first.body, []byte(marker)) || len(first.body) > 500 {
			t.Errorf("%s: the answer repeats what came in: %s", name, first.body)
		}
	}
	b.checkUnaffected()
}
