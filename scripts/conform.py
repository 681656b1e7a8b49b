"""Calls the simulator with zeep: conform.py PATH_OF_ROUNDS

Calls every operation of the WSDL at least once, and compares its response with the simulator's state, which /control/ reads
and changes. Prints one line per form of the WSDL. Exits with 1 when a response is wrong.
"""

import datetime
import json
import re
import subprocess
import sys
import urllib.request

import zeep
from zeep.helpers import serialize_object

HEADER = {"CustomerKey": "sim-customer-key-1", "Password": "sim-password-1", "User": "sim-1@example.test"}
PRACTICE = "Example Practice 1"


class World:
    """The simulator: its operations through zeep, its state through its control API."""

    def __init__(self, endpoint, wsdl):
        self.base = endpoint[: endpoint.index("/services/")]
        self.client = zeep.Client(endpoint + wsdl)
        self.called = set()
        self.control("PUT", "throttles", {"off": True})

    def control(self, method, path, body=None):
        data = None if body is None else json.dumps(body).encode()
        request = urllib.request.Request(f"{self.base}/control/{path}", data=data, method=method)
        with urllib.request.urlopen(request, timeout=10) as answer:
            text = answer.read()
            return json.loads(text) if text else None

    def call(self, operation, **members):
        """Returns the result after checking its error and security parts."""
        self.called.add(operation)
        name = "UpdatePatientReq" if operation == "UpdatePatient" else "request"
        if operation == "GetCustomerIdFromKey":
            return serialize_object(self.client.service[operation](**{name: HEADER}))
        result = serialize_object(self.client.service[operation](**{name: {"RequestHeader": HEADER, **members}}))
        error, security = result["ErrorResponse"], result["SecurityResponse"]
        assert not error["IsError"], error["ErrorMessage"]
        assert security["Authenticated"] and security["Authorized"] and security["CustomerKeyValid"], security
        return result

    def day(self, date):
        return self.control("GET", f"appointments?practice=1&day={date}")

    def visit(self, number):
        return self.control("GET", f"appointment?id={number}")

    def patient(self, number):
        return self.control("GET", f"patient?id={number}")


def equal(got, want, what):
    assert got == want, f"{what} is {got!r}, want {want!r}"


def us(moment):
    """Formats a time of the control API as the vendor's rows do."""
    t = datetime.datetime.fromisoformat(moment)
    hour = t.hour % 12 or 12
    return f"{t.month}/{t.day}/{t.year} {hour}:{t.minute:02}:{t.second:02} {'AM' if t.hour < 12 else 'PM'}"


def utc(moment):
    return datetime.datetime.fromisoformat(moment).astimezone(datetime.timezone.utc)


def directory(w):
    practices = w.call("GetPractices", Fields={}, Filter={})["Practices"]["PracticeData"]
    state = w.control("GET", "practices")
    equal([(p["ID"], p["PracticeName"]) for p in practices], [(str(p["id"]), p["name"]) for p in state], "practices")
    providers = w.call("GetProviders", Fields={}, Filter={"PracticeName": PRACTICE})["Providers"]["ProviderData"]
    visits = w.day(today(w))
    assert {v["provider"] for v in visits} <= {p["ID"] for p in providers}, "a provider of the day is missing"
    places = w.call("GetServiceLocations", Fields={}, Filter={"PracticeName": PRACTICE})
    equal(places["ServiceLocations"]["ServiceLocationData"][0]["PracticeName"], PRACTICE, "the location's practice")
    codes = w.call("GetProcedureCodes", Fields={}, Filter={"ProcedureCode": "SIM02"})
    equal([c["ProcedureCode"] for c in codes["ProcedureCodes"]["ProcedureCodeData"]], ["SIM02"], "the procedure codes")
    reasons = w.call("GetAppointmentReasons", PracticeId=1)["AppointmentReasons"]["AppointmentReasonData"]
    equal(reasons[0]["Name"], "Follow Up", "the first reason")
    throttles = w.call("GetThrottles")["ThrottleDetails"]["ThrottleDetail"]
    equal({t["ThrottleTimeMs"] for t in throttles}, {0.0}, "the throttles when they are off")
    customer = w.call("GetCustomerIdFromKey")
    equal((customer["CustomerId"], customer["IsAuthorized"]), (state[0]["account"], True), "the customer")


def today(w):
    return datetime.date.today().isoformat()


def patients(w):
    page = w.call("GetAllPatients", Fields={}, Filter={"BatchSize": 3, "PracticeID": 1, "StartKey": 0})
    rows = page["Patients"]["PatientBatchData"]
    equal(len(rows), 3, "rows of a page of 3")
    more = w.call("GetAllPatients", Fields={}, Filter={"BatchSize": 3, "PracticeID": 1, "StartKey": page["Key"]["nextStartKey"]})
    assert more["Patients"]["PatientBatchData"][0]["ID"] not in {r["ID"] for r in rows}, "the second page repeats the first"
    for row in rows:
        state = w.patient(row["ID"])
        one = w.call("GetPatient", Filter={"PatientID": int(row["ID"])})["Patient"]
        for got in (row, one):
            equal((got["FirstName"], got["LastName"], got["HomePhone"]), (state["first"], state["last"], state["phone"]), "a patient")
        equal(one["Cases"]["PatientCaseData"][0]["IsPrimaryCase"], True, "the default case")
    named = w.call("GetPatients", Fields={}, Filter={"FullName": f"{state['first']} {state['last']}", "PracticeName": PRACTICE})
    assert row["ID"] in {p["ID"] for p in named["Patients"]["PatientData"]}, "a patient is not found by name"
    unknown = w.call("GetPatient", Filter={"PatientID": 5})["Patient"]
    equal((unknown or {}).get("ID"), None, "the id of an unknown patient")  # zeep turns nil into an empty object


def patient_writes(w):
    made = w.call("CreatePatient", Patient={
        "DateofBirth": datetime.datetime(1980, 7, 4), "FirstName": "Zeep", "HomePhone": "(555) 555-0101",
        "LastName": "O'Client <&>", "Practice": {"PracticeID": 1},
    })
    number = made["PatientID"]
    state = w.patient(number)
    equal((state["first"], state["last"], state["born"], state["phone"]), ("Zeep", "O'Client <&>", "1980-07-04", "(555) 555-0101"), "the new patient")
    w.call("UpdatePatient", Patient={"HomePhone": "(555) 555-0102", "PatientID": number, "Practice": {"PracticeID": 1}})
    equal((w.patient(number)["phone"], w.patient(number)["first"]), ("(555) 555-0102", "Zeep"), "the changed patient")
    w.call("UpdatePatientsExternalID", Updates={"UpdateBatch": {"PatientExternalIDSetting": [
        {"externalID": "zeep-1", "externalVendorID": 9, "patientID": number, "practiceID": 1}]}})
    found = w.call("GetPatient", Filter={"ExternalID": "zeep-1", "ExternalVendorID": 9})["Patient"]
    equal(found["ID"], str(number), "the patient by external id")
    return number


def appointments(w):
    date = today(w)
    state = w.day(date)
    us_day = datetime.date.fromisoformat(date).strftime("%m/%d/%Y")
    rows = w.call("GetAppointments", Fields={}, Filter={"EndDate": us_day, "PracticeName": PRACTICE, "StartDate": us_day})
    rows = {r["ID"]: r for r in rows["Appointments"]["AppointmentData"]}
    equal(set(rows), {v["appointment"] for v in state}, "the day's appointments")
    for v in state:
        row, one = rows[v["appointment"]], w.call("GetAppointment", Appointment={"AppointmentId": int(v["appointment"])})["Appointment"]
        equal((row["PatientID"], row["StartDate"], row["ConfirmationStatus"]), (v["patient"], us(v["start"]), v["status"]), "a row")
        equal((one["StartTime"], one["EndTime"], one["IsRecurring"]), (utc(v["start"]), utc(v["end"]), v["series"] != 0), "an appointment")
        equal(one["IsGroupAppointment"], v["group"] > 0, "a group")
    none = w.call("GetAppointments", Fields={}, Filter={"EndDate": us_day, "PracticeName": "Unknown Practice", "StartDate": us_day})
    equal([(r or {}).get("ID") for r in none["Appointments"]["AppointmentData"]], [None], "an empty list")
    return state[0]


def appointment_writes(w, like, number):
    start = datetime.datetime.now(datetime.timezone.utc).replace(microsecond=0) + datetime.timedelta(days=9)
    end = start + datetime.timedelta(minutes=30)
    made = w.call("CreateAppointment", Appointment={
        "AppointmentStatus": "Scheduled", "AppointmentType": "P", "EndTime": end, "IsRecurring": False, "Notes": "made by <zeep>",
        "PatientSummary": {"PatientId": number, "PracticeId": 1}, "PracticeId": 1, "ProviderId": int(like["provider"]),
        "ResourceIds": {"long": [int(like["provider"])]}, "ServiceLocationId": 3, "StartTime": start,
    })["Appointment"]
    visit = w.visit(made["AppointmentId"])
    equal((utc(visit["start"]), visit["patient"], visit["notes"]), (start, str(number), "made by <zeep>"), "the new appointment")
    w.call("UpdateAppointment", Appointment={
        "AppointmentId": made["AppointmentId"], "AppointmentStatus": "CheckedIn", "EndTime": end, "PatientId": number,
        "ServiceLocationId": 3, "StartTime": start,
    })
    visit = w.visit(made["AppointmentId"])
    equal((visit["status"], visit["notes"]), ("Check-in", ""), "the overwritten appointment")
    w.call("UpdateAppointmentStatus", Appointment={"AppointmentId": made["AppointmentId"], "AppointmentStatus": "NoShow"})
    equal(w.visit(made["AppointmentId"])["status"], "No-show", "the status")
    gone = w.call("DeleteAppointment", Appointment={"AppointmentId": made["AppointmentId"]})
    equal((gone["Deleted"], w.visit(made["AppointmentId"])["deleted"]), (True, True), "the deletion")


def refusals(w):
    wrong = dict(HEADER, Password="wrong")
    result = w.client.service.GetThrottles(request={"RequestHeader": wrong})
    equal((result.ErrorResponse.IsError, result.SecurityResponse.Authenticated), (True, False), "a wrong password")
    w.control("PUT", "faults", {"outage": True})
    try:
        w.call("GetThrottles")
        raise AssertionError("a call succeeds during an outage")
    except zeep.exceptions.Fault as fault:
        assert fault.code.endswith(":InternalServiceFault"), fault.code
    finally:
        w.control("PUT", "faults", {})


def main(rounds):
    sim = subprocess.Popen(
        [rounds, "sim", "--addr", "127.0.0.1:0", "--patients", "60", "--visits", "35", "--practices", "1", "--json"],
        stdout=subprocess.PIPE, text=True)
    try:
        text = ""
        while not (endpoint := re.search(r'"endpoint":\s*"([^"]+)"', text)):
            line = sim.stdout.readline()
            assert line, "the simulator did not start"
            text += line
        for wsdl in ("?singleWsdl", "?wsdl"):
            w = World(endpoint.group(1), wsdl)
            directory(w)
            patients(w)
            number = patient_writes(w)
            appointment_writes(w, appointments(w), number)
            refusals(w)
            operations = set(w.client.service._binding._operations)
            missing = operations - w.called
            assert not missing, f"never called: {', '.join(sorted(missing))}"
            print(f"{wsdl}: {len(operations)} operations through zeep {zeep.__version__}, every response matches the simulator's state")
    finally:
        sim.terminate()
        sim.wait(timeout=10)


if __name__ == "__main__":
    try:
        main(sys.argv[1])
    except (AssertionError, zeep.exceptions.Error) as failure:
        sys.exit(f"conform: {type(failure).__name__}: {failure}"[:1000])
