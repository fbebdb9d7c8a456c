package control

import (
	"context"
	"fmt"
	"sync"

	"github.com/firmward/firmward"
)

// marks gathers commands that are about to be sent while an earlier transaction marks others.
type marks struct {
	mu      sync.Mutex
	waiting []mark
	busy    bool
}

type mark struct {
	id   string
	done chan error
}

// markSent records, durably, that a command is about to be carried out, together with others that are. An error means that it must
// not be: errLost when its lease went to somebody else.
func (c *Control) markSent(ctx context.Context, id string) error {
	m, s := mark{id, make(chan error, 1)}, &c.sending
	s.mu.Lock()
	s.waiting = append(s.waiting, m)
	lead := !s.busy
	s.busy = true
	s.mu.Unlock()
	for lead {
		s.mu.Lock()
		some := s.waiting
		s.waiting = nil
		lead = len(some) > 0
		s.busy = lead
		s.mu.Unlock()
		if lead {
			c.markAll(ctx, some)
		}
	}
	return <-m.done
}

func (c *Control) markAll(ctx context.Context, some []mark) {
	ids := make([]string, len(some))
	for i, m := range some {
		ids[i] = m.id
	}
	list, err := c.Store.MarkSent(ctx, c.owner, c.Clock.Now(), ids...)
	may := make(map[string]bool, len(list))
	for _, id := range list {
		may[id] = true
	}
	for _, m := range some {
		switch {
		case err != nil:
			m.done <- fmt.Errorf("%w: %w", errLost, err)
		case !may[m.id]:
			m.done <- fmt.Errorf("%w: %w", errLost, firmward.Errorf(firmward.Conflict, "command "+m.id+" was sent before, or its lease ran out"))
		default:
			delete(may, m.id) // one mark, one effect, whoever asks twice
			m.done <- nil
		}
	}
}
