package tebratest

import (
	"slices"
	"strconv"
	"strings"
)

// operation is one row of what the simulator can answer.
type operation struct {
	fields []field // members of the request's parameter, in the schema's order
	// run answers under the server's lock; an error becomes an InternalServiceFault.
	run func(s *Server, a *account, request message) (result, error)
}

var requestHeader = field{name: "RequestHeader", kind: object, required: true, fields: texts(
	"ClientVersion", "CustomerKey", "Password", "User")}

var operations = map[string]operation{
	"GetAppointments": {fields: listRequest(appointmentColumns(), texts(
		"AppointmentReason", "ConfirmationStatus", "EndDate", "FromCreatedDate", "FromLastModifiedDate",
		"PatientCasePayerScenario", "PatientFullName", "PatientID", "PracticeName", "ResourceName", "ServiceLocationName",
		"StartDate", "TimeZoneOffsetFromGMT", "ToCreatedDate", "ToLastModifiedDate", "Type")), run: getAppointments},
	"GetPatient": {fields: []field{requestHeader, {name: "Filter", kind: object, fields: []field{
		{name: "ExternalID"}, {name: "ExternalVendorID", kind: integer}, {name: "PatientID", kind: integer},
	}}}, run: getPatient},
	"GetProviders": {fields: listRequest(providerColumns, texts(
		"DepartmentName", "FromCreatedDate", "FromLastModifiedDate", "FullName", "PracticeID", "PracticeName",
		"ToCreatedDate", "ToLastModifiedDate", "Type")), run: getProviders},
	"GetThrottles": {fields: []field{requestHeader}, run: getThrottles},
}

func texts(names ...string) []field {
	all := make([]field, len(names))
	for i, name := range names {
		all[i].name = name
	}
	return all
}

// listRequest is the shape of every filtered read: a header, the columns to return, a filter.
func listRequest(columns []string, filter []field) []field {
	toggles := texts(columns...)
	for i := range toggles {
		toggles[i].kind = boolean
	}
	return []field{
		requestHeader,
		{name: "Fields", kind: object, required: true, fields: toggles},
		{name: "Filter", kind: object, fields: filter},
	}
}

var providerColumns = strings.Fields(`Active AddressLine1 AddressLine2 BillingType City Country CreatedDate Degree
	DepartmentName EmailAddress EncounterFormName Fax FaxExt FirstName FullName HomePhone HomePhoneExt ID LastModifiedDate
	LastName MiddleName MobilePhone MobilePhoneExt NationalProviderIdentifier Notes Pager PagerExt PracticeID PracticeName
	Prefix ProviderPerformanceReportActive ProviderPerformanceReportCCEmailRecipients ProviderPerformanceReportDelay
	ProviderPerformanceReportFequency ProviderPerformanceReportScope SocialSecurityNumber SpecialtyName State Suffix Type
	WorkPhone WorkPhoneExt ZipCode`)

func appointmentColumns() []string {
	columns := strings.Fields(`AllDay AppointmentDuration AuthorizationEndDate AuthorizationID AuthorizationInsurancePlan
		AuthorizationNumber AuthorizationStartDate ConfirmationStatus CreatedDate EndDate ID LastModifiedDate Notes
		PatientCaseID PatientCaseName PatientCasePayerScenario PatientFullName PatientID PracticeID PracticeName Recurring
		ServiceLocationID ServiceLocationName StartDate Type`)
	for _, stem := range []string{"AppointmentReason", "AppointmentReasonID", "ResourceID", "ResourceName", "ResourceTypeID"} {
		for i := 1; i <= 10; i++ {
			columns = append(columns, stem+strconv.Itoa(i))
		}
	}
	slices.Sort(columns)
	return columns
}

// rows puts the list of an answer together: capped, cut down to the columns asked for.
func (s *Server) rows(payload, item string, request message, all []record) result {
	const most = 10_000
	if len(all) > most {
		all = all[:most]
	}
	fields, _ := request.object("Fields")
	wanted := map[string]bool{}
	for name := range fields {
		if v := fields.text(name); v == "true" || v == "1" {
			wanted[name] = true
		}
	}
	switch {
	case len(wanted) > 0 && s.faults.Projection:
		all = nil
	case len(wanted) > 0:
		for _, r := range all {
			for name := range r {
				if !wanted[name] {
					delete(r, name)
				}
			}
		}
	}
	return result{payload: func(o *output) { o.list(payload, list{item: item, rows: all}) }}
}

func getProviders(s *Server, a *account, request message) (result, error) {
	filter, _ := request.object("Filter")
	var all []record
	for _, c := range a.clinics {
		if !accepts(filter.text("PracticeName"), c.practice.Name) ||
			!accepts(filter.text("PracticeID"), strconv.Itoa(c.practice.ID)) ||
			!accepts(filter.text("Type"), "Normal Provider") {
			continue
		}
		for i := range c.practice.Providers {
			p := c.provider(i)
			if !accepts(filter.text("FullName"), p.name()) {
				continue
			}
			hired := c.born.AddDate(-2, 0, -i)
			all = append(all, record{
				"Active": "True", "CreatedDate": usDate(hired), "Degree": "MD", "FirstName": p.first, "FullName": p.name(),
				"ID": p.id, "LastModifiedDate": usDate(hired), "LastName": p.last, "PracticeID": strconv.Itoa(c.practice.ID),
				"PracticeName": c.practice.Name, "Prefix": "Dr.", "SpecialtyName": "Family Practice", "Type": "Normal Provider",
				"WorkPhone": "(555) 555-0100",
			})
		}
	}
	return s.rows("Providers", "ProviderData", request, all), nil
}

func getThrottles(s *Server, _ *account, _ message) (result, error) {
	rows := s.config.Throttles.rows()
	return result{payload: func(o *output) {
		o.list("ThrottleDetails", list{item: "ThrottleDetail", rows: rows})
	}}, nil
}

// accepts reports whether a filter's text, if any, is the value but for case.
func accepts(filter, value string) bool { return filter == "" || strings.EqualFold(filter, value) }
