package tasks

import (
	"errors"
	"reflect"
	"slices"
	"strings"

	"github.com/workflow-bolt/rounds/internal/phi"
)

// Kind describes a kind of task that this package declares. Everything that handles kinds alike,
// such as the HTTP API, the command line and the status report, reads the descriptions that [Kinds]
// returns.
type Kind struct {
	// Name is the kind itself: "schedule.sync".
	Name string
	// Args is the zero value of its arguments, a struct.
	Args Args
	// Description is one sentence about what a run does.
	Description string
	// Operation is the vendor operation that a run calls: "GetAppointments". It is empty if a run
	// calls none.
	Operation string
	// Calls is how many calls of Operation one run makes at most.
	Calls int
	// Options are those of Args, with defaults filled in.
	Options Options
	// External reports whether the HTTP API offers the kind. The others are for the planner and for
	// operators.
	External bool
}

// kinds is the one table of kinds. A worker for a kind without a row fails a test of package work.
// Its order is that of the API's document.
var kinds = complete([]Kind{
	{
		Args: SyncSchedule{}, Operation: "GetAppointments", Calls: 1, External: true,
		Description: "Read a practice's appointments of some days from the vendor.",
	},
	{
		Args: SyncPatient{}, Operation: "GetPatient", Calls: 1, External: true,
		Description: "Read one patient from the vendor.",
	},
	{
		Args: SyncPatients{}, Operation: "GetPatients", Calls: 1, External: true,
		Description: "Read the patients of a practice who changed since the last time.",
	},
	{
		Args: SyncAppointment{}, Operation: "GetAppointment", Calls: 1, External: true,
		Description: "Read one appointment from the vendor.",
	},
	{
		Args: SyncLocations{}, Operation: "GetServiceLocations", Calls: 1, External: true,
		Description: "Read a practice's locations from the vendor.",
	},
	{
		Args: SyncDirectory{}, Operation: "GetProviders", Calls: 1, External: true,
		Description: "Read a practice's providers from the vendor.",
	},
	{
		Args: WarmView{}, External: true,
		Description: "Build a view before it is requested.",
	},
	{
		Args: InvalidateEntity{}, External: true,
		Description: "Report that a record changed at the vendor. /v1/invalidations does it at once.",
	},
	{
		Args: SweepPatients{}, Operation: "GetAllPatients", Calls: 1,
		Description: "Read all patients of a practice, a page in each run.",
	},
	{
		Args: SyncPractices{}, Operation: "GetPractices", Calls: 1,
		Description: "Compare the practices of the account with those of the tenant.",
	},
	{
		Args: SyncThrottles{}, Operation: "GetThrottles", Calls: 1,
		Description: "Read how often the account may call each operation.",
	},
})

// complete fills in what follows from the arguments.
func complete(table []Kind) []Kind {
	for i := range table {
		k := &table[i]
		k.Name = k.Args.Kind()
		var err error
		if k.Options, err = optionsOf(k.Args); err != nil {
			panic("tasks: kind " + k.Name + ": " + err.Error()) //nolint:forbidigo // the table is part of the program
		}
	}
	return table
}

// Kinds returns a description of every kind of this package. The slice belongs to the caller.
func Kinds() []Kind { return slices.Clone(kinds) }

// FindKind returns the description of the kind with this name, and false if this package has none.
func FindKind(name string) (Kind, bool) {
	i := slices.IndexFunc(kinds, func(k Kind) bool { return k.Name == name })
	if i < 0 {
		return Kind{}, false
	}
	return kinds[i], true
}

// Decode reads the JSON of the kind's arguments as strictly as a worker does: an unknown or
// repeated member is an error. It does not validate them. The error repeats nothing of the JSON.
func (k Kind) Decode(data []byte) (Args, error) {
	p := reflect.New(reflect.TypeOf(k.Args))
	if err := phi.Unmarshal(data, p.Interface()); err != nil {
		return nil, err
	}
	args, ok := reflect.TypeAssert[Args](p.Elem())
	if !ok {
		return nil, errors.New("arguments are not of the kind") // impossible: k.Args has this type
	}
	return args, nil
}

// Members returns the names of the members in the JSON of the kind's arguments, in their order.
func (k Kind) Members() []string {
	var names []string
	for f := range reflect.TypeOf(k.Args).Fields() {
		name, _, _ := strings.Cut(f.Tag.Get("json"), ",")
		names = append(names, name)
	}
	return names
}
