//go:build race

package sim_test

// raceOn says that the race detector slows everything down.
const raceOn = true
