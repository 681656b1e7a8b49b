package cli

import (
	"cmp"
	"context"
	"fmt"
	"io"
	"net"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"
)

func newRedisClients(e *env) *cobra.Command {
	i := &inspection{env: e}
	return i.add(&cobra.Command{
		Use:   "clients",
		Short: "Say who is connected to each Redis server",
		Long: `Say who is connected to each Redis server, put together by user, host and name (CLIENT LIST): how many connections,
how long they live, and what they did last.`,
		Example: "  rounds redis clients --role queue --json",
		RunE: func(cmd *cobra.Command, _ []string) error {
			doc := clientsDoc{}
			err := i.each(cmd.Context(), doc.look)
			if err != nil {
				return err
			}
			return e.answer(doc, doc.write)
		},
	})
}

type clientsDoc struct {
	Servers []serverClients `json:"servers"`
}

type serverClients struct {
	place
	Connections int           `json:"connections"`
	Clients     []clientGroup `json:"clients"`
	Advice      []string      `json:"advice"`
}

// clientGroup is the connections of one user from one host.
type clientGroup struct {
	User        string   `json:"user"`
	Host        string   `json:"host"`
	Name        string   `json:"name,omitempty"`
	Connections int      `json:"connections"`
	Oldest      int64    `json:"oldest_seconds"`
	Idle        int64    `json:"longest_idle_seconds"`
	Buffers     int64    `json:"buffer_bytes"`
	Commands    []string `json:"commands"` // the last of each, without arguments
}

func (d *clientsDoc) look(ctx context.Context, s server) error {
	text, err := s.client.ClientList(ctx).Result()
	said, err := refusal("CLIENT LIST", err)
	if err != nil {
		return err
	}
	c := serverClients{place: s.place(), Clients: groupClients(text), Advice: []string{}}
	for _, g := range c.Clients {
		c.Connections += g.Connections
	}
	c.advise(said)
	d.Servers = append(d.Servers, c)
	return nil
}

// groupClients reads CLIENT LIST, a line of name=value for each connection, and puts together what belongs together, most
// connections first.
func groupClients(text string) []clientGroup {
	out := []clientGroup{}
	for line := range strings.Lines(text) {
		f := map[string]string{}
		for part := range strings.FieldsSeq(line) {
			name, value, _ := strings.Cut(part, "=")
			f[name] = value
		}
		if f["id"] == "" {
			continue
		}
		number := func(name string) int64 {
			n, _ := strconv.ParseInt(f[name], 10, 64) // 0 when an older server does not say
			return n
		}
		one := clientGroup{User: shown(f["user"]), Host: hostOf(f["addr"]), Name: shown(f["name"])}
		i := slices.IndexFunc(out, func(g clientGroup) bool { return g.User == one.User && g.Host == one.Host && g.Name == one.Name })
		if i < 0 {
			i = len(out)
			out = append(out, one)
		}
		g := &out[i]
		g.Connections++
		g.Oldest, g.Idle = max(g.Oldest, number("age")), max(g.Idle, number("idle"))
		g.Buffers += number("qbuf") + number("omem")
		if cmd := shown(strings.ReplaceAll(f["cmd"], "|", ".")); !slices.Contains(g.Commands, cmd) {
			g.Commands = append(g.Commands, cmd)
		}
	}
	for _, g := range out {
		slices.Sort(g.Commands)
	}
	slices.SortStableFunc(out, func(a, b clientGroup) int { return cmp.Compare(b.Connections, a.Connections) })
	return out
}

// hostOf is an address without its port, which tells connections apart that belong together.
func hostOf(addr string) string {
	host, _, err := net.SplitHostPort(addr)
	if err != nil || host == "" {
		return "local socket"
	}
	if net.ParseIP(host) == nil {
		return "local socket" // its path
	}
	return host
}

// bigBuffers is what no reader of ours leaves unread.
const bigBuffers = 64 << 20

func (c *serverClients) advise(said string) {
	if said != "" {
		c.Advice = append(c.Advice, said)
	}
	for _, g := range c.Clients {
		if g.Buffers > bigBuffers {
			c.Advice = append(c.Advice, fmt.Sprintf("%s at %s reads too slowly: %s wait for it", orUnknown(g.User), g.Host, bytesText(g.Buffers)))
		}
		if g.User == "default" && g.Host != "local socket" && !net.ParseIP(g.Host).IsLoopback() {
			c.Advice = append(c.Advice, fmt.Sprintf("%s connects as the default user: give each component a user of its own", g.Host))
		}
	}
	if len(c.Advice) == 0 {
		c.Advice = append(c.Advice, "nothing stands out")
	}
}

func (d clientsDoc) write(w io.Writer) {
	for _, s := range d.Servers {
		writePlace(w, s.place)
		_, _ = fmt.Fprintf(w, "  %d connections\n", s.Connections)
		table(w, []string{"  USER", "HOST", "NAME", "CONNECTIONS", "OLDEST", "IDLE", "BUFFERS", "LAST COMMANDS"}, s.Clients, func(g clientGroup) []string {
			return []string{
				"  " + orUnknown(g.User), g.Host, g.Name, fmt.Sprint(g.Connections), (time.Duration(g.Oldest) * time.Second).String(),
				(time.Duration(g.Idle) * time.Second).String(), bytesText(g.Buffers), strings.Join(g.Commands[:min(len(g.Commands), 6)], " "),
			}
		})
		writeAdvice(w, s.Advice)
	}
}
