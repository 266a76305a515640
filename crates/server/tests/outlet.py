"""An outlet that is switched by SNMP, with pysnmp: 1 is on, 2 is off.

`outlet.py PORT`: 127.0.0.1, UDP. The community `outlet` by version 2c, the user `operator` by version 3.
"""

import sys

from pysnmp.carrier.asyncio.dgram import udp
from pysnmp.entity import config, engine
from pysnmp.entity.rfc3413 import cmdrsp, context
from pysnmp.proto.api import v2c

OUTLET = (1, 3, 6, 1, 4, 1, 318, 1, 1, 4, 4, 2, 1, 3)
NUMBER = (4,)
TREE = (1, 3, 6, 1, 4, 1, 318)

agent = engine.SnmpEngine()
transport = udp.UdpTransport().open_server_mode(("127.0.0.1", int(sys.argv[1])))
config.add_transport(agent, udp.DOMAIN_NAME, transport)
config.add_v1_system(agent, "area", "outlet")
config.add_vacm_user(agent, 2, "area", "noAuthNoPriv", TREE, TREE)
config.add_v3_user(
    agent, "operator",
    config.USM_AUTH_HMAC96_SHA, "authentic#1",
    config.USM_PRIV_CFB128_AES, "private#12",
)
config.add_vacm_user(agent, 3, "operator", "authPriv", TREE, TREE)

world = context.SnmpContext(agent)
builder = world.get_mib_instrum().get_mib_builder()
scalar, instance = builder.import_symbols("SNMPv2-SMI", "MibScalar", "MibScalarInstance")
builder.export_symbols(
    "OUTLET",
    scalar(OUTLET, v2c.Integer32()).setMaxAccess("read-write"),
    instance(OUTLET, NUMBER, v2c.Integer32(2)),
)
cmdrsp.GetCommandResponder(agent, world)
cmdrsp.SetCommandResponder(agent, world)
agent.transport_dispatcher.job_started(1)
agent.open_dispatcher()
