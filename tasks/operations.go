package tasks

import "slices"

// Operation says what one run of a kind asks of the vendor.
type Operation struct {
	// Kind is the task's kind.
	Kind string
	// Name is the vendor's operation, "GetAppointments". Empty: none.
	Name string
	// Calls is how many calls of it one run makes, at most.
	Calls int
}

// operations is kept beside the kinds so that booking knows the cost of a task
// before anything of it is opened.
var operations = []Operation{
	{Kind: SyncSchedule{}.Kind(), Name: "GetAppointments", Calls: 1},
	{Kind: SyncAppointment{}.Kind(), Name: "GetAppointment", Calls: 1},
	{Kind: SyncPatient{}.Kind(), Name: "GetPatient", Calls: 1},
	{Kind: SyncPatients{}.Kind(), Name: "GetPatients", Calls: 1},
	{Kind: SweepPatients{}.Kind(), Name: "GetAllPatients", Calls: 1},
	{Kind: SyncDirectory{}.Kind(), Name: "GetProviders", Calls: 1},
	{Kind: SyncLocations{}.Kind(), Name: "GetServiceLocations", Calls: 1},
	{Kind: SyncPractices{}.Kind(), Name: "GetPractices", Calls: 1},
	{Kind: SyncThrottles{}.Kind(), Name: "GetThrottles", Calls: 1},
	{Kind: WarmView{}.Kind()},
	{Kind: InvalidateEntity{}.Kind()},
}

// Operations returns what each kind of this package costs.
func Operations() []Operation { return slices.Clone(operations) }

// Attempts returns how many plain errors make a dead letter of a task of each
// kind of this package.
func Attempts() map[string]int {
	out := map[string]int{}
	for _, a := range []Args{
		SyncSchedule{},
		SyncAppointment{},
		SyncPatient{},
		SyncPatients{},
		SweepPatients{},
		SyncDirectory{},
		SyncLocations{},
		SyncPractices{},
		SyncThrottles{},
		WarmView{},
		InvalidateEntity{},
	} {
		if o, err := optionsOf(a); err == nil {
			out[a.Kind()] = o.MaxAttempts
		}
	}
	return out
}
