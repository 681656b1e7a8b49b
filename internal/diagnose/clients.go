package diagnose

import (
	"cmp"
	"context"
	"net"
	"slices"
	"strconv"
	"strings"
)

// Clients describes the connections to one server.
type Clients struct {
	Place
	Connections int           `json:"connections"`
	Clients     []ClientGroup `json:"clients"`
	Advice      []string      `json:"advice"`
}

// ClientGroup summarizes the connections of one user from one host.
type ClientGroup struct {
	User        string   `json:"user"`
	Host        string   `json:"host"`
	Name        string   `json:"name,omitempty"`
	Connections int      `json:"connections"`
	Oldest      int64    `json:"oldest_seconds"`
	Idle        int64    `json:"longest_idle_seconds"`
	Buffers     int64    `json:"buffer_bytes"`
	Commands    []string `json:"commands"` // the last command of each, without arguments
}

// Clients reads the server's CLIENT LIST.
func (s Server) Clients(ctx context.Context) (Clients, error) {
	text, err := s.client.ClientList(ctx).Result()
	refused, err := refusal("CLIENT LIST", err)
	if err != nil {
		return Clients{}, err
	}
	c := Clients{Place: s.place, Clients: groupClients(text)}
	for _, g := range c.Clients {
		c.Connections += g.Connections
	}
	c.Advice = adviseClients(c.Clients, refused)
	return c, nil
}

// groupClients parses CLIENT LIST, a line of name=value pairs for each connection, and groups
// connections by user, host and name, the largest group first.
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

// add adds one connection.
func (g *ClientGroup) add(fields map[string]string) {
	number := func(name string) int64 {
		n, _ := strconv.ParseInt(fields[name], 10, 64) // 0 if an older server lacks the field
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

// hostOf returns an address without its port, which differs between connections of one process.
func hostOf(addr string) string {
	host, _, err := net.SplitHostPort(addr)
	if err != nil || net.ParseIP(host) == nil {
		return localSocket // the address is a path
	}
	return host
}

// bigBuffers is more than any client of Rounds leaves unread.
const bigBuffers = 64 << 20

func adviseClients(groups []ClientGroup, refused string) []string {
	a := adviceOn(refused)
	for _, g := range groups {
		if g.Buffers > bigBuffers {
			a.add("%s at %s reads too slowly: %s are buffered for it", cmp.Or(g.User, unknown), g.Host, Bytes(g.Buffers))
		}
		if g.User == "default" && g.Host != localSocket && !net.ParseIP(g.Host).IsLoopback() {
			a.add("%s connects as the default user: give each component its own user", g.Host)
		}
	}
	return a.or("nothing unusual")
}
