package tebratest

import (
	"slices"
	"strconv"
	"strings"
)

// practiceID returns the practice's number as rows write it.
func (c *Clinic) practiceID() string { return strconv.Itoa(c.practice.ID) }

// locationName returns the name of the practice's only service location.
func (c *Clinic) locationName() string { return c.practice.Name + " Main Office" }

func (c *Clinic) locationID() string { return strconv.Itoa(c.index + 3) }

func (h *handler) getPractices() (result, error) {
	filter, ok := h.in.object("Filter")
	if !ok {
		return nullReference, nil
	}
	var all []record
	for _, c := range h.withForeignClinic(h.listedClinics(filter.text("PracticeName"), filter.text("ID"))) {
		all = append(all, record{
			"Active": "True", "CreatedDate": usDate(c.startedAt.AddDate(-4, 0, 0)), "Email": "office" + c.practiceID() + "@example.test",
			"ID": c.practiceID(), "LastModifiedDate": usDate(c.startedAt.AddDate(-1, 0, 0)), "NPI": "0000000000", "Phone": "(555) 555-0100",
			"PracticeAddressLine1": c.practiceID() + " Sample Street", "PracticeCity": "Sampleton", "PracticeName": c.practice.Name,
			"PracticeState": c.practice.State, "PracticeZipCode": "00000", "SubscriptionEdition": "Simulated",
		})
	}
	return h.listResult("Practices", rowsOf(all...)), nil
}

func (h *handler) getServiceLocations() (result, error) {
	filter, _ := h.in.object("Filter")
	asked := slices.DeleteFunc(h.clinics(filter.text("PracticeName"), filter.text("PracticeID")), func(c *Clinic) bool {
		return !equalsFilter(filter.text("ID"), c.locationID())
	})
	var all []record
	for _, c := range h.withForeignClinic(asked) {
		all = append(all, record{
			"AddressLine1": c.practiceID() + " Sample Street", "BillingName": c.practice.Name, "City": "Sampleton",
			"CreatedDate": usDate(c.startedAt.AddDate(-4, 0, 0)), "ID": c.locationID(), "ModifiedDate": usDate(c.startedAt.AddDate(-1, 0, 0)),
			"NPI": "0000000000", "Name": c.locationName(), "Phone": "(555) 555-0100", "PlaceOfService": "Office", "PracticeID": c.practiceID(),
			"PracticeName": c.practice.Name, "State": c.practice.State, "ZipCode": "00000",
		})
	}
	return h.listResult("ServiceLocations", rowsOf(all...)), nil
}

func (h *handler) getProviders() (result, error) {
	filter, _ := h.in.object("Filter")
	var all []record
	for _, c := range h.withForeignClinic(h.clinics(filter.text("PracticeName"), filter.text("PracticeID"))) {
		for i := range c.practice.Providers {
			p := c.provider(i)
			if !equalsFilter(filter.text("FullName"), p.name()) || !equalsFilter(filter.text("Type"), "Normal Provider") {
				continue
			}
			hired := c.startedAt.AddDate(-2, 0, -i)
			all = append(all, record{
				"Active": "True", "CreatedDate": usDate(hired), "Degree": "MD", "FirstName": p.first, "FullName": p.name(),
				"ID": p.id, "LastModifiedDate": usDate(hired), "LastName": p.last, "PracticeID": c.practiceID(),
				"PracticeName": c.practice.Name, "Prefix": "Dr.", "SpecialtyName": "Family Practice", "Type": "Normal Provider",
				"WorkPhone": "(555) 555-0100",
			})
		}
	}
	return h.listResult("Providers", rowsOf(all...)), nil
}

// procedureCodes have a form that no real code has.
var procedureCodes = []string{"SIM01 Short visit", "SIM02 Long visit", "SIM03 Annual exam", "SIM04 Lab review"}

func (h *handler) getProcedureCodes() (result, error) {
	filter, _ := h.in.object("Filter")
	var all []record
	for i, p := range procedureCodes {
		code, name, _ := strings.Cut(p, " ")
		id := strconv.Itoa(i + 1)
		if filter.text("Active") != "" && !filter.is("Active") ||
			!equalsFilter(filter.text("ID"), id) || !equalsFilter(filter.text("ProcedureCode"), code) {
			continue
		}
		all = append(all, record{
			"Active": "True", "BillableCode": code, "CreatedDate": "1/1/2020 12:00:00 AM", "DefaultUnits": "1", "ID": id,
			"LocalName": name, "ModifiedDate": "1/1/2021 12:00:00 AM", "OfficialName": name, "ProcedureCode": code,
			"ProcedureCodeCategoryID": "1",
		})
	}
	return h.listResult("ProcedureCodes", rowsOf(all...)), nil
}

func (h *handler) getAppointmentReasons() (result, error) {
	if len(h.clinics("", h.in.text("PracticeId"))) == 0 {
		return businessError("User is not authorized for Practice."), nil
	}
	var all []record
	for i, name := range reasons {
		all = append(all, record{
			"AppointmentReasonId": reasonID(i), "DefaultColorCode": "0", "DefaultDurationMinutes": "30", "Name": name,
			"PracticeId": h.in.text("PracticeId"),
		})
	}
	return h.listResult("AppointmentReasons", rowsOf(all...)), nil
}

func reasonID(i int) string { return strconv.Itoa(i + 1) }

// reasonIDByName returns the identifier of a reason, or "0" for an unknown name.
func reasonIDByName(name string) string {
	for i, r := range reasons {
		if r == name {
			return reasonID(i)
		}
	}
	return "0"
}

func (h *handler) getThrottles() (result, error) {
	return h.listResult("ThrottleDetails", rowsOf(h.Throttles().tableRows()...)), nil
}

func (h *handler) getCustomerIDFromKey() (result, error) {
	return result{members: record{"CustomerId": strconv.Itoa(h.account.id), "IsAuthorized": "true"}}, nil
}

// unknownCustomer is the response of GetCustomerIdFromKey to wrong credentials.
var unknownCustomer = result{members: record{"CustomerId": "-1", "IsAuthorized": "false"}}
