package control

import "time"

// Clock is the house's time. Production and tests in a bubble use the real clock; a demo runs the
// house Scale times faster than the wall, while the time limits of single exchanges stay real.
type Clock struct {
	Base  time.Time // house time at Start
	Start time.Time // wall time at which the house clock stood at Base
	Scale float64   // house seconds per wall second; 0 and 1 mean real time
}

func (c Clock) orReal() Clock {
	if c.Scale == 0 {
		c.Scale = 1
	}
	return c
}

// Now is the house time, in UTC.
func (c Clock) Now() time.Time {
	if c.Start.IsZero() {
		return time.Now().UTC()
	}
	return c.Base.Add(time.Duration(float64(time.Since(c.Start)) * c.Scale)).UTC()
}

// Timer fires after d of house time.
func (c Clock) Timer(d time.Duration) *time.Timer {
	return time.NewTimer(time.Duration(float64(d) / c.orReal().Scale))
}

// Real is the house time that passes in d of wall time: for limits of real exchanges.
func (c Clock) Real(d time.Duration) time.Duration {
	return time.Duration(float64(d) * c.orReal().Scale)
}

// Wall is the wall time that d of house time takes.
func (c Clock) Wall(d time.Duration) time.Duration {
	return time.Duration(float64(d) / c.orReal().Scale)
}
