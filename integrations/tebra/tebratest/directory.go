package tebratest

import (
	"slices"
	"strconv"
	"strings"
)

// id is the practice's number as rows write it.
func (c *Clinic) id() string { return strconv.Itoa(c.practice.ID) }

// site is the one place that a simulated practice has.
func (c *Clinic) site() string { return c.practice.Name + " Main Office" }

func (c *Clinic) siteID() string { return strconv.Itoa(c.index + 3) }

func (w *work) getPractices() (result, error) {
	filter, ok := w.in.object("Filter")
	if !ok {
		return nullReference, nil
	}
	var all []record
	for _, c := range w.andStranger(w.clinics(filter.text("PracticeName"), filter.text("ID"))) {
		all = append(all, record{
			"Active": "True", "CreatedDate": usDate(c.born.AddDate(-4, 0, 0)), "Email": "office" + c.id() + "@example.test",
			"ID": c.id(), "LastModifiedDate": usDate(c.born.AddDate(-1, 0, 0)), "NPI": "0000000000", "Phone": "(555) 555-0100",
			"PracticeAddressLine1": c.id() + " Sample Street", "PracticeCity": "Sampleton", "PracticeName": c.practice.Name,
			"PracticeState": "TX", "PracticeZipCode": "00000", "SubscriptionEdition": "Simulated",
		})
	}
	return w.list("Practices", rowsOf(all...)), nil
}

func (w *work) getServiceLocations() (result, error) {
	filter, _ := w.in.object("Filter")
	asked := slices.DeleteFunc(w.clinics(filter.text("PracticeName"), filter.text("PracticeID")), func(c *Clinic) bool {
		return !accepts(filter.text("ID"), c.siteID())
	})
	var all []record
	for _, c := range w.andStranger(asked) {
		all = append(all, record{
			"AddressLine1": c.id() + " Sample Street", "BillingName": c.practice.Name, "City": "Sampleton",
			"CreatedDate": usDate(c.born.AddDate(-4, 0, 0)), "ID": c.siteID(), "ModifiedDate": usDate(c.born.AddDate(-1, 0, 0)),
			"NPI": "0000000000", "Name": c.site(), "Phone": "(555) 555-0100", "PlaceOfService": "Office", "PracticeID": c.id(),
			"PracticeName": c.practice.Name, "State": "TX", "ZipCode": "00000",
		})
	}
	return w.list("ServiceLocations", rowsOf(all...)), nil
}

func (w *work) getProviders() (result, error) {
	filter, _ := w.in.object("Filter")
	var all []record
	for _, c := range w.andStranger(w.clinics(filter.text("PracticeName"), filter.text("PracticeID"))) {
		for i := range c.practice.Providers {
			p := c.provider(i)
			if !accepts(filter.text("FullName"), p.name()) || !accepts(filter.text("Type"), "Normal Provider") {
				continue
			}
			hired := c.born.AddDate(-2, 0, -i)
			all = append(all, record{
				"Active": "True", "CreatedDate": usDate(hired), "Degree": "MD", "FirstName": p.first, "FullName": p.name(),
				"ID": p.id, "LastModifiedDate": usDate(hired), "LastName": p.last, "PracticeID": c.id(),
				"PracticeName": c.practice.Name, "Prefix": "Dr.", "SpecialtyName": "Family Practice", "Type": "Normal Provider",
				"WorkPhone": "(555) 555-0100",
			})
		}
	}
	return w.list("Providers", rowsOf(all...)), nil
}

// procedures are codes that bill for nothing: no real code has this form.
var procedures = []string{"SIM01 Short visit", "SIM02 Long visit", "SIM03 Annual exam", "SIM04 Lab review"}

func (w *work) getProcedureCodes() (result, error) {
	filter, _ := w.in.object("Filter")
	var all []record
	for i, p := range procedures {
		code, name, _ := strings.Cut(p, " ")
		id := strconv.Itoa(i + 1)
		if filter.text("Active") != "" && !filter.is("Active") ||
			!accepts(filter.text("ID"), id) || !accepts(filter.text("ProcedureCode"), code) {
			continue
		}
		all = append(all, record{
			"Active": "True", "BillableCode": code, "CreatedDate": "1/1/2020 12:00:00 AM", "DefaultUnits": "1", "ID": id,
			"LocalName": name, "ModifiedDate": "1/1/2021 12:00:00 AM", "OfficialName": name, "ProcedureCode": code,
			"ProcedureCodeCategoryID": "1",
		})
	}
	return w.list("ProcedureCodes", rowsOf(all...)), nil
}

func (w *work) getAppointmentReasons() (result, error) {
	if len(w.clinics("", w.in.text("PracticeId"))) == 0 {
		return failed("User is not authorized for Practice."), nil
	}
	var all []record
	for i, name := range reasons {
		all = append(all, record{
			"AppointmentReasonId": reasonID(i), "DefaultColorCode": "0", "DefaultDurationMinutes": "30", "Name": name,
			"PracticeId": w.in.text("PracticeId"),
		})
	}
	return w.list("AppointmentReasons", rowsOf(all...)), nil
}

func reasonID(i int) string { return strconv.Itoa(i + 1) }

// reasonOf returns the identifier of a reason by its name, "0" for none.
func reasonOf(name string) string {
	for i, r := range reasons {
		if r == name {
			return reasonID(i)
		}
	}
	return "0"
}

func (w *work) getThrottles() (result, error) {
	return w.list("ThrottleDetails", rowsOf(w.Throttles().records()...)), nil
}

func (w *work) getCustomerIDFromKey() (result, error) {
	return result{members: record{"CustomerId": strconv.Itoa(w.account.id), "IsAuthorized": "true"}}, nil
}

// strangers is what GetCustomerIdFromKey answers those whom it does not know.
var strangers = result{members: record{"CustomerId": "-1", "IsAuthorized": "false"}}
