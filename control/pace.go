package control

import (
	"context"
	"sync"
	"time"

	"github.com/firmward/firmward"
	"github.com/firmward/firmward/rollout"
)

// paces keeps in memory how long the last updates of models took.
type paces struct {
	mu sync.Mutex
	of map[string]pace
}

type pace struct {
	took []firmward.UpdateTime
	read time.Time
}

// paceFor is how long what was read is used again: another server may have learned more since.
const paceFor = 10 * time.Minute

// pace gives how long the last updates of a model took.
func (c *Control) pace(ctx context.Context, model string) ([]firmward.UpdateTime, error) {
	now := c.Clock.Now()
	c.paces.mu.Lock()
	p, known := c.paces.of[model]
	c.paces.mu.Unlock()
	if age := now.Sub(p.read); known && age >= 0 && age < paceFor {
		return p.took, nil
	}
	took, err := c.Store.UpdateTimes(ctx, model, rollout.Remembered)
	if err != nil {
		return nil, err
	}
	c.paces.mu.Lock()
	defer c.paces.mu.Unlock()
	if c.paces.of == nil {
		c.paces.of = map[string]pace{}
	}
	c.paces.of[model] = pace{took, now}
	return took, nil
}
