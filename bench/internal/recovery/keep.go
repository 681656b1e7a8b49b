package recovery

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"time"
)

// progress describes what has happened so far.
func (s *sink) progress() string {
	done, demanded := s.counts()
	var text string
	s.record(func(h *history) {
		text = fmt.Sprintf("%d of %d tasks done, %d kills, %d stops, %d crashes, %d dead letters",
			done, demanded, len(h.kills), len(h.drains), len(h.crashes), len(h.dead))
	})
	return text
}

// write writes the history into a file, one JSON document a line.
func (s *sink) write(path string) (err error) {
	file, err := os.Create(path)
	if err != nil {
		return err
	}
	out := bufio.NewWriter(file)
	enc := json.NewEncoder(out)
	s.record(func(h *history) {
		for _, c := range h.demanded {
			err = errors.Join(err, enc.Encode(map[string]any{"demand": c, "id": h.ids[c.Number], "dead": h.dead[h.ids[c.Number]]}))
		}
		for _, r := range h.runs {
			err = errors.Join(err, enc.Encode(map[string]any{
				"run": r.task, "worker": r.worker, "token": r.token, "lane": r.lane, "begun": r.begun, "ended": r.ended, "result": r.result,
			}))
		}
		for _, k := range h.kills {
			err = errors.Join(err, enc.Encode(map[string]any{"kill": k.worker, "at": k.at, "interrupted": k.interrupted}))
		}
		for worker, times := range h.freezes {
			for _, at := range times {
				err = errors.Join(err, enc.Encode(map[string]any{"freeze": worker, "at": at}))
			}
		}
		for _, d := range h.drains {
			err = errors.Join(err, enc.Encode(map[string]any{"stop": d.worker, "running": d.running, "took": d.took.Seconds()}))
		}
		for _, c := range h.crashes {
			err = errors.Join(err, enc.Encode(map[string]any{"crash": c.poison, "neighbours": c.neighbours}))
		}
		for worker, at := range h.died {
			err = errors.Join(err, enc.Encode(map[string]any{"died": worker, "at": at.Format(time.RFC3339Nano)}))
		}
	})
	return errors.Join(err, out.Flush(), file.Close())
}
