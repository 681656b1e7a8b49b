package report

import (
	"os"
	"runtime"
	"strconv"
	"strings"
)

// Machine is what a bench ran on. Members are empty where the system does not state them.
type Machine struct {
	OS         string    `json:"os"`
	Arch       string    `json:"arch"`
	CPU        string    `json:"cpu"`
	Cores      int       `json:"cores"` // that the process may use
	MemoryMB   int       `json:"memory_mb"`
	Go         string    `json:"go"`
	LoadBefore []float64 `json:"load_before"` // averages of 1, 5 and 15 minutes
	LoadAfter  []float64 `json:"load_after"`
}

func describeMachine() Machine {
	kilobytes, _ := strconv.Atoi(strings.TrimSuffix(procValue("/proc/meminfo", "MemTotal"), " kB"))
	return Machine{
		OS: runtime.GOOS, Arch: runtime.GOARCH, CPU: procValue("/proc/cpuinfo", "model name"), Cores: runtime.GOMAXPROCS(0),
		MemoryMB: kilobytes / 1000, Go: runtime.Version(), LoadBefore: loadAverage(), LoadAfter: []float64{},
	}
}

// procValue returns the value of the first line of a file that reads "NAME: VALUE".
func procValue(file, name string) string {
	text, err := os.ReadFile(file)
	if err != nil {
		return ""
	}
	for line := range strings.Lines(string(text)) {
		if key, value, ok := strings.Cut(line, ":"); ok && strings.TrimSpace(key) == name {
			return strings.TrimSpace(value)
		}
	}
	return ""
}

func loadAverage() []float64 {
	averages := []float64{}
	text, err := os.ReadFile("/proc/loadavg")
	if err != nil {
		return averages
	}
	for _, field := range strings.Fields(string(text))[:3] {
		average, err := strconv.ParseFloat(field, 64)
		if err != nil {
			return averages
		}
		averages = append(averages, average)
	}
	return averages
}
