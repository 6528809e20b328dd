"""Which branch does Inception need? (chapter 9)"""

from d2lcnn.studies._inceptions import inceptions
from d2lcnn.studies.protocol import Protocol, Study, Variant

STUDY = Study(
    "inception_branches",
    "How much accuracy does GoogLeNet's mini network lose without one kind of branch, where it is trained without it?",
    {
        name: Variant(inceptions, Protocol(input_size=28, epochs=3, lr=1.2e-2, weight_decay=0.05), {"without": without})
        for name, without in {
            "all": "",
            "without_1x1": "1x1",
            "without_3x3": "3x3",
            "without_5x5": "5x5",
            "without_pool": "pool",
        }.items()
    },
    minutes=22,
)
