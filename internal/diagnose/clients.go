package diagnose

import (
	"cmp"
	"context"
	"net"
	"slices"
	"strconv"
	"strings"
)

// Clients is the connections to one server.
type Clients struct {
	Place
	Connections int           `json:"connections"`
	Clients     []ClientGroup `json:"clients"`
	Advice      []string      `json:"advice"`
}

// ClientGroup is the connections of one user from one host.
type ClientGroup struct {
	User        string   `json:"user"`
	Host        string   `json:"host"`
	Name        string   `json:"name,omitempty"`
	Connections int      `json:"connections"`
	Oldest      int64    `json:"oldest_seconds"`
	Idle        int64    `json:"longest_idle_seconds"`
	Buffers     int64    `json:"buffer_bytes"`
	Commands    []string `json:"commands"` // the last of each, without arguments
}

// Clients reads CLIENT LIST.
func (s Server) Clients(ctx context.Context) (Clients, error) {
	text, err := s.client.ClientList(ctx).Result()
	said, err := refusal("CLIENT LIST", err)
	if err != nil {
		return Clients{}, err
	}
	c := Clients{Place: s.place, Clients: groupClients(text)}
	for _, g := range c.Clients {
		c.Connections += g.Connections
	}
	c.Advice = adviseClients(c.Clients, said)
	return c, nil
}

// groupClients reads CLIENT LIST, a line of name=value for each connection, and puts together what belongs together, most
// connections first.
func groupClients(text string) []ClientGroup {
	out := []ClientGroup{}
	for line := range strings.Lines(text) {
		fields := map[string]string{}
		for part := range strings.FieldsSeq(line) {
			name, value, _ := strings.Cut(part, "=")
			fields[name] = value
		}
		if fields["id"] == "" {
			continue
		}
		one := ClientGroup{User: Redact(fields["user"]), Host: hostOf(fields["addr"]), Name: Redact(fields["name"])}
		i := slices.IndexFunc(out, func(g ClientGroup) bool { return g.User == one.User && g.Host == one.Host && g.Name == one.Name })
		if i < 0 {
			i = len(out)
			out = append(out, one)
		}
		out[i].add(fields)
	}
	for _, g := range out {
		slices.Sort(g.Commands)
	}
	slices.SortStableFunc(out, func(a, b ClientGroup) int { return cmp.Compare(b.Connections, a.Connections) })
	return out
}

// add counts one more connection.
func (g *ClientGroup) add(fields map[string]string) {
	number := func(name string) int64 {
		n, _ := strconv.ParseInt(fields[name], 10, 64) // 0 when an older server does not say
		return n
	}
	g.Connections++
	g.Oldest, g.Idle = max(g.Oldest, number("age")), max(g.Idle, number("idle"))
	g.Buffers += number("qbuf") + number("omem")
	if command := Redact(strings.ReplaceAll(fields["cmd"], "|", ".")); !slices.Contains(g.Commands, command) {
		g.Commands = append(g.Commands, command)
	}
}

const localSocket = "local socket"

// hostOf is an address without its port, which tells connections apart that belong together.
func hostOf(addr string) string {
	host, _, err := net.SplitHostPort(addr)
	if err != nil || net.ParseIP(host) == nil {
		return localSocket // its path
	}
	return host
}

// bigBuffers is what no reader of ours leaves unread.
const bigBuffers = 64 << 20

func adviseClients(groups []ClientGroup, said string) []string {
	a := refused(said)
	for _, g := range groups {
		if g.Buffers > bigBuffers {
			a.add("%s at %s reads too slowly: %s wait for it", cmp.Or(g.User, unknown), g.Host, Bytes(g.Buffers))
		}
		if g.User == "default" && g.Host != localSocket && !net.ParseIP(g.Host).IsLoopback() {
			a.add("%s connects as the default user: give each component a user of its own", g.Host)
		}
	}
	return a.or("nothing stands out")
}
