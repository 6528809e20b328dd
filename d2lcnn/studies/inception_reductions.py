"""How narrow may Inception's reductions be? (chapter 9)"""

from d2lcnn.studies._inceptions import inceptions
from d2lcnn.studies.protocol import Protocol, Study, Variant

STUDY = Study(
    "inception_reductions",
    "What do the 1x1 reductions before the 3x3 and 5x5 convolutions cost in accuracy, at a quarter, half, all or twice "
    "of their width, against none?",
    {
        name: Variant(
            inceptions, Protocol(input_size=28, epochs=3, lr=1.2e-2, weight_decay=0.05), {"reduction": reduction}
        )
        for name, reduction in {"quarter": 0.25, "half": 0.5, "as_is": 1.0, "twice": 2.0, "none": 0.0}.items()
    },
    minutes=24,
)
