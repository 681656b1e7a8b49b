//go:build soak

package tebratest_test

import (
	"errors"
	"math/rand/v2"
	"os"
	"runtime"
	"runtime/debug"
	"slices"
	"strconv"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/workflow-bolt/rounds/integrations/tebra"
	"github.com/workflow-bolt/rounds/integrations/tebra/tebratest"
)

// This test measures the largest population: the time of one day's list, on days that were not read
// before, and the peak memory of the process according to the kernel, after lists of days, all
// pages, a list at the row limit and a change of every patient.
func TestSoakHundredThousandPatients(t *testing.T) {
	debug.FreeOSMemory()
	w := newEnv(t, oneAccount(tebratest.Practice{Patients: 100_000}))
	var took []time.Duration
	for i := range 100 {
		day := noon.AddDate(0, 0, i-50)
		start := time.Now()
		if rows := listDay(t, w.Client, w.clinic, day, day); len(rows) != 90 {
			t.Fatalf("%d rows", len(rows))
		}
		took = append(took, time.Since(start))
	}
	slices.Sort(took)
	seen := 0
	for page, err := range w.Patients.Pages(t.Context(), tebra.PatientPagesRequest{Size: 1000}) {
		if err != nil {
			t.Fatal(err)
		}
		seen += len(page.Rows)
		for _, p := range page.Rows {
			if err := w.clinic.SetPhone(p.ID.Reveal(), "(555) 555-0111"); err != nil {
				t.Fatal(err)
			}
		}
	}
	capped := 0
	for _, err := range w.Patients.Rows(t.Context(), tebra.ListPatientsRequest{PracticeID: "1"}) {
		if err != nil && !errors.Is(err, tebra.ErrPartial) {
			t.Fatal(err)
		}
		capped++
	}
	var m runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&m)
	runtime.KeepAlive(w)
	peak := peakMemory(t)
	t.Logf("%d patients in pages, %d in the list; a day: median %v, slowest %v; live heap %.0f MB, peak memory of the process %.0f MB", seen, capped-1,
		took[50].Round(time.Microsecond), took[99].Round(time.Microsecond), float64(m.HeapAlloc)/1e6, float64(peak)/1e6)
	if seen != 100_000 || took[50] > 50*time.Millisecond || peak > 400_000_000 {
		t.Error("want 100,000 patients, a median day within 50 ms, and at most 400 MB")
	}
}

// peakMemory returns the peak resident memory of the process.
func peakMemory(t *testing.T) int64 {
	t.Helper()
	status, err := os.ReadFile("/proc/self/status")
	if err != nil {
		t.Fatal(err)
	}
	for line := range strings.SplitSeq(string(status), "\n") {
		if text, found := strings.CutPrefix(line, "VmHWM:"); found {
			kilobytes, err := strconv.ParseInt(strings.TrimSuffix(strings.TrimSpace(text), " kB"), 10, 64)
			if err != nil {
				t.Fatal(err)
			}
			return kilobytes * 1024
		}
	}
	t.Fatal("no VmHWM in /proc/self/status")
	return 0
}

// In 10,000 calls in fake time, at intervals close to the limit, every decision must agree with the
// times of arrival to the millisecond, with and without Extend.
func TestSoakThrottlesAreExact(t *testing.T) {
	for _, extend := range []bool{false, true} {
		synctest.Test(t, func(t *testing.T) {
			const margin = 40 * time.Millisecond
			s := newServer(t, tebratest.Config{Throttles: tebratest.Throttles{Margin: margin, Extend: extend}})
			clinic := s.Clinics()[0]
			c := newClient(t, s, clinic.Account())
			rng := rand.New(rand.NewPCG(1, 2))
			limit := 250*time.Millisecond + margin
			id := clinic.Patients()[0].ID
			last, wrong, throttled := time.Time{}, 0, 0
			for range 10_000 {
				<-time.After(limit + time.Duration(rng.IntN(5)-2)*time.Millisecond - time.Duration(rng.IntN(2))*200*time.Millisecond)
				want := !last.IsZero() && time.Since(last) <= limit
				_, err := c.Patients.Get(t.Context(), id)
				if got := errors.Is(err, &tebra.Error{Code: tebra.Throttled}); got != want {
					wrong++
				}
				if want {
					throttled++
				}
				if !want || extend {
					last = time.Now()
				}
			}
			t.Logf("extend %t: %d of 10,000 calls throttled, %d decisions wrong", extend, throttled, wrong)
			if wrong != 0 || throttled < 1000 {
				t.Errorf("%d wrong decisions, %d calls throttled", wrong, throttled)
			}
		})
	}
}
