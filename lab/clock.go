package lab

import (
	"context"
	"time"
)

// Clock tells house time: the time that the simulated house lives in. It may run faster than real time.
// The zero Clock is not usable; take [RealClock] or [ScaledClock].
type Clock struct {
	base   time.Time // house time at start; zero: house time is real time
	start  time.Time
	factor float64
}

// RealClock returns a clock on which house time is real time. Inside a testing/synctest bubble this is the bubble's
// time.
func RealClock() *Clock { return &Clock{factor: 1} }

// ScaledClock returns a clock that shows base now and runs factor times as fast as real time: 60 lets a minute of
// house time pass in a second. A factor that is not positive counts as 1.
func ScaledClock(base time.Time, factor float64) *Clock {
	if factor <= 0 {
		factor = 1
	}
	return &Clock{base: base, start: time.Now(), factor: factor}
}

// Now returns house time.
func (c *Clock) Now() time.Time {
	if c.base.IsZero() {
		return time.Now()
	}
	return c.base.Add(time.Duration(float64(time.Since(c.start)) * c.factor))
}

// real converts a house duration into a real one.
func (c *Clock) real(d time.Duration) time.Duration {
	if c.factor == 1 {
		return d
	}
	return time.Duration(float64(d) / c.factor)
}

// AfterFunc runs f in its own goroutine after the house duration d. The returned function stops the timer and tells
// whether it did so before f was started.
func (c *Clock) AfterFunc(d time.Duration, f func()) (stop func() bool) {
	return time.AfterFunc(c.real(d), f).Stop
}

// Wait returns nil after the house duration d, or the error of ctx if that ends first.
func (c *Clock) Wait(ctx context.Context, d time.Duration) error {
	if d <= 0 {
		return ctx.Err()
	}
	t := time.NewTimer(c.real(d))
	defer t.Stop()
	select {
	case <-t.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}
