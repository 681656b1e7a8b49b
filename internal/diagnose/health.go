package diagnose

import (
	"cmp"
	"context"
	"time"

	"github.com/workflow-bolt/rounds/internal/redisconn"
)

// Health describes the state of one server.
type Health struct {
	Place
	Version      string    `json:"version"`
	Uptime       int64     `json:"uptime_seconds"`
	Replication  string    `json:"replication"` // master or slave, the terms of Redis
	Replicas     int64     `json:"replicas"`
	Clients      int64     `json:"clients"`
	UsedBytes    int64     `json:"used_bytes"`
	MaxBytes     int64     `json:"max_bytes"` // 0 means no limit
	Policy       string    `json:"policy"`
	OpsPerSecond int64     `json:"ops_per_second"`
	Evicted      int64     `json:"evicted_keys"`
	HitRatio     *float64  `json:"hit_ratio,omitempty"` // of reads by key, if there were any
	AnswerMicros int64     `json:"answer_us"`
	Findings     []Finding `json:"findings"`
}

// Health reads INFO only, which managed services allow.
func (s Server) Health(ctx context.Context) (Health, error) {
	if err := s.client.Ping(ctx).Err(); err != nil { // so that connecting does not count as travel time
		return Health{}, unavailable("PING", err)
	}
	begun := time.Now()
	info, err := redisconn.Info(ctx, s.client, infoSections...)
	if err != nil {
		return Health{}, err
	}
	took := time.Since(begun) / time.Duration(len(infoSections))
	number := func(field string) int64 { return infoNumber(info, field) }
	h := Health{
		Place: s.place, Version: cmp.Or(info["redis_version"], unknown), Uptime: number("uptime_in_seconds"),
		Replication: cmp.Or(info["role"], unknown), Replicas: number("connected_slaves"), Clients: number("connected_clients"),
		UsedBytes: number("used_memory"), MaxBytes: number("maxmemory"), Policy: cmp.Or(info["maxmemory_policy"], unknown),
		OpsPerSecond: number("instantaneous_ops_per_sec"), Evicted: number("evicted_keys"), AnswerMicros: took.Microseconds(),
		Findings: gradeLoad(info, s.role),
	}
	if reads := number("keyspace_hits") + number("keyspace_misses"); reads > 0 {
		ratio := float64(number("keyspace_hits")) / float64(reads)
		h.HitRatio = &ratio
	}
	return h, nil
}
