// Package lab simulates the devices that firmward looks after: smart plugs, network cameras, a light controller, a server's
// management controller, a printer, an infusion pump and an abandoned storage box. Every device speaks its real wire protocol, keeps its own firmware slots, and
// can be told to fail in the ways that real devices fail.
//
// The lab imports nothing of firmward and shares no codec with it, so that a simulator and a driver cannot agree on
// the same misunderstanding. It is checked against independent clients (curl, snmpget, ipptool, ffprobe, sushy, mosquitto_sub).
//
// Devices stand in an in-memory network ([Net]) and are reached through a [Stack], which has the same methods as a
// host's sockets. No packet leaves the process. All of it works inside a testing/synctest bubble, where days of house
// time pass in milliseconds. [Lab.ServeLoopback] additionally opens one 127.0.0.1 socket per service, for clients that
// need real sockets, and [Device.ServeOn] lets a device answer in a network of somebody else's making; bytes are carried
// between the socket and the in-memory network, so faults and counters are the same on both ways.
//
// House time: everything that takes a device time (reboot, download, dead-man timer) is measured on the [Clock].
// Only the pace of video packets is real time, because players live in real time.
package lab
