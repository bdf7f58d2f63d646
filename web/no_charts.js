// Stands in for the chart library where the program was built without it: charts are then tables.
export default null;
