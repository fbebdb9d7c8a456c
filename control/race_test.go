//go:build race

package control_test

// raceOn says that the race detector slows everything down.
const raceOn = true
